import * as tf from "@tensorflow/tfjs";
import { EngineUnavailableError } from "./errors.js";
import type { Engine, EngineName, EngineOptions } from "./types.js";

/** One engine that may or may not run on this machine. */
export interface Rung {
  readonly name: Exclude<EngineName, "auto">;
  /**
   * Makes the engine's tfjs backend the current one.
   * Throws `EngineUnavailableError` when this machine cannot run it (and leaves the current backend alone).
   */
  start(options: EngineOptions): Promise<Engine>;
}

/** A rung that was tried and could not start. */
export interface Unavailable {
  name: Rung["name"];
  reason: string;
}

/** "auto" goes down this list and takes the first that starts. `webgpu` is experimental: only by name. */
export const autoOrder = ["tfjs-node-gpu", "onnx", "tfjs-node", "wasm", "cpu"] as const satisfies Rung["name"][];

/** Every name that `useEngine` knows, best first. */
export const rungNames = [
  "tfjs-node-gpu",
  "onnx",
  "tfjs-node",
  "webgpu",
  "wasm",
  "cpu",
] as const satisfies Rung["name"][];

// Loaded when tried: a backend's module costs up to half a second, and an optional peer may be absent altogether.
const loaders: Record<Rung["name"], () => Promise<Rung>> = {
  "tfjs-node-gpu": async () => (await import("./tfjs-node.js")).tfjsNodeGpuRung,
  "tfjs-node": async () => (await import("./tfjs-node.js")).tfjsNodeRung,
  onnx: async () => (await import("./onnx/index.js")).onnxRung,
  webgpu: async () => (await import("./webgpu/index.js")).webgpuRung,
  wasm: async () => (await import("./wasm/index.js")).wasmRung,
  cpu: async () => (await import("./cpu.js")).cpuRung,
};

/** Starts the named engine and sees it compute, or throws `EngineUnavailableError` with the reason. */
export async function startRung(name: Rung["name"], options: EngineOptions): Promise<Engine> {
  const rung = await loaders[name]();
  silenceBanner();
  const engine = await rung.start(options);
  await probe(name);
  return engine;
}

/** The cpu backend greets its first tensor with advice to install tfjs-node; choosing the engine is our job. */
function silenceBanner(): void {
  const cpu = tf.findBackend("cpu") as unknown as { firstUse: boolean } | null;
  if (cpu) cpu.firstUse = false;
}

/** A device that is not there, or a native library that does not load, may show only at the first operation. */
async function probe(name: string): Promise<void> {
  let values: ArrayLike<number>;
  const sum = tf.tidy(() => tf.sum(tf.matMul(tf.ones([3, 5]), tf.ones([5, 2]))));
  try {
    values = await sum.data();
  } catch (error) {
    throw new EngineUnavailableError(`it cannot compute here: ${(error as Error).message.split("\n")[0]}`);
  } finally {
    sum.dispose();
  }
  if (values[0] !== 30) throw new EngineUnavailableError(`${name} computes wrongly here: ${values[0]} instead of 30`);
}

/** The first engine of `autoOrder` that starts, and why each better one did not. */
export async function climbLadder(options: EngineOptions): Promise<{ engine: Engine; unavailable: Unavailable[] }> {
  const unavailable: Unavailable[] = [];
  for (const name of autoOrder) {
    try {
      const engine = await startRung(name, options);
      const missed = unavailable.find((rung) => rung.name === "onnx");
      // tfjs-node-gpu is for those who install it; that onnx does not run is a fault worth a word.
      if (missed) console.warn(`kaisetsu: computing with ${engine.name}, since onnx cannot run here: ${missed.reason}`);
      return { engine, unavailable };
    } catch (error) {
      unavailable.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  throw new EngineUnavailableError(
    `no engine can run here: ${unavailable.map(({ name, reason }) => `${name}: ${reason}`).join("; ")}`,
  );
}

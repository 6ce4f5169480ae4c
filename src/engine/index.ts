import * as tf from "@tensorflow/tfjs";
import { EngineError } from "./errors.js";
import { climbLadder, rungNames, startRung, type Unavailable } from "./ladder.js";
import type { Engine, EngineName, EngineOptions } from "./types.js";

interface Choice {
  engine: Engine;
  key: string;
  options: EngineOptions;
  /** Better engines that "auto" tried in vain. */
  unavailable: Unavailable[];
}

let current: Choice | undefined;
let starting: Promise<unknown> = Promise.resolve();

/**
 * Chooses who computes, and makes it TensorFlow.js's current backend.
 *
 * "auto" takes the first that starts of: tfjs-node-gpu (when installed), onnx, tfjs-node (when installed), wasm, cpu.
 * The environment variable KAISETSU_ENGINE, when set, stands in for "auto". A name given here always wins over it.
 * Asking again for the engine that runs costs nothing. Tensors made before a change are moved when they are used.
 *
 * @throws EngineError for an unknown name; EngineUnavailableError, with the reason, for a named engine that cannot run here.
 */
export function useEngine(name: EngineName = "auto", options: EngineOptions = {}): Promise<Engine> {
  // One after the other: two notebook cells may ask at once, and each start switches tfjs's global backend.
  const result = starting.then(() => choose(name, options));
  starting = result.catch(() => undefined);
  return result;
}

/**
 * The engine that `useEngine` chose last.
 * @throws EngineError when none has been chosen: call `await useEngine("auto")` first, or use `ensureEngine()`.
 */
export function currentEngine(): Engine {
  if (!current) throw new EngineError('no engine has been chosen yet: call `await useEngine("auto")` first');
  return current.engine;
}

/** The current engine; when none has been chosen yet, "auto" chooses. For library code that runs before any `useEngine`. */
export async function ensureEngine(): Promise<Engine> {
  await starting;
  return current?.engine ?? useEngine("auto");
}

/** Why "auto" did not choose a better engine: those above the current one, best first. Empty for an engine chosen by name. */
export function betterEngines(): Unavailable[] {
  return current?.unavailable ?? [];
}

async function choose(asked: EngineName, options: EngineOptions): Promise<Engine> {
  const name = resolveName(asked);
  const key = JSON.stringify([name, options.device, options.threads]);
  // Somebody may have called tf.setBackend since: then start again.
  if (current?.key === key && tf.getBackend() === current.engine.backend) return current.engine;
  try {
    const { engine, unavailable } =
      name === "auto" ? await climbLadder(options) : { engine: await startRung(name, options), unavailable: [] };
    current = { engine, key, options, unavailable };
    return engine;
  } catch (error) {
    // A failed start may have switched tfjs's backend, or an engine's device.
    if (current) await startRung(current.engine.name, current.options);
    throw error;
  }
}

function resolveName(asked: EngineName): EngineName {
  if (asked !== "auto") return checkName(asked, "useEngine");
  const fromEnvironment = process.env.KAISETSU_ENGINE?.trim();
  return fromEnvironment ? checkName(fromEnvironment, "KAISETSU_ENGINE") : "auto";
}

function checkName(name: string, where: string): EngineName {
  const names: readonly string[] = ["auto", ...rungNames];
  if (names.includes(name)) return name as EngineName;
  throw new EngineError(`${where}: there is no engine "${name}"; choose one of ${names.join(", ")}`);
}

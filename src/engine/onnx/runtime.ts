import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";

/** Type strings of onnxruntime-common. */
export type OrtType = "float32" | "int32" | "int64" | "uint8" | "uint16" | "bool";

export interface OrtTensor {
  readonly data: ArrayBufferView & ArrayLike<number | bigint>;
  readonly dims: readonly number[];
}

export interface OrtSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: object): void;
  run(
    feeds: Record<string, OrtTensor>,
    fetches: Record<string, OrtTensor | null>,
    options: object,
  ): Record<string, OrtTensor>;
  dispose(): void;
}

export interface OrtRuntime {
  Session: new () => OrtSession;
  Tensor: new (type: OrtType, data: ArrayBufferView, dims: readonly number[]) => OrtTensor;
}

/**
 * onnxruntime-node's native binding, whose `run` is synchronous. It is internal to the package, which is why package.json
 * pins one version.
 * @throws OnnxRuntimeMissingError when the package is not installed, or what `require` throws when its library does not load
 */
export function loadRuntime(): OrtRuntime {
  const { require, path } = findPackage();
  const { Tensor } = require(path) as { Tensor: OrtRuntime["Tensor"] };
  const { binding, initOrt } = require(join(path, "dist/binding.js")) as {
    binding: { InferenceSession: OrtRuntime["Session"] };
    initOrt: () => void;
  };
  initOrt();
  return { Session: binding.InferenceSession, Tensor };
}

/** The version of onnxruntime-node. */
export function runtimeVersion(): string {
  const { require, path } = findPackage();
  return (require(join(path, "package.json")) as { version: string }).version;
}

/** A device that ONNX Runtime was built for, and whether its library is in the npm package. */
export interface RuntimeDevice {
  name: string;
  bundled: boolean;
}

export function runtimeDevices(): RuntimeDevice[] {
  const { require, path } = findPackage();
  return (require(path) as { listSupportedBackends(): RuntimeDevice[] }).listSupportedBackends();
}

/** Where the native libraries lie. */
export function runtimeFolder(): string {
  return join(findPackage().path, "bin/napi-v6", process.platform, process.arch);
}

export class OnnxRuntimeMissingError extends Error {
  override name = "OnnxRuntimeMissingError";
}

/** Where npm put it, or where our own scripts/postinstall.js did. */
function findPackage(): { require: NodeJS.Require; path: string } {
  const require = createRequire(import.meta.url);
  const ownPackage = dirname(require.resolve("kaisetsu/package.json"));
  for (const name of ["onnxruntime-node", join(ownPackage, "vendor/node_modules/onnxruntime-node")]) {
    try {
      return { require, path: dirname(require.resolve(`${name}/package.json`)) };
    } catch {
      // Not here; perhaps in the next place.
    }
  }
  throw new OnnxRuntimeMissingError(
    "onnxruntime-node is not installed: its own install step failed, or install scripts are off. " +
      "Run `ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0`",
  );
}

export interface SessionSettings {
  /** Threads for one operation. */
  threads: number;
  /** ONNX Runtime execution provider. */
  device: string;
}

/** ONNX Runtime's own; `extra` holds its configuration entries, a level for each dot in their names. */
export interface SessionOptions {
  extra: { session: object };
  [option: string]: unknown;
}

export const defaultSettings: SessionSettings = { threads: availableParallelism(), device: "cpu" };

/** Measured in bench/README.md; each line says what the other choice costs. */
export function sessionOptions({ threads, device }: SessionSettings): SessionOptions {
  return {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    executionMode: "sequential",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // The optimiser makes nothing of ours faster, builds five times as long, and its common-subexpression pass merges
    // the recomputation of gradient checkpointing with the forward pass that it is to replace.
    graphOptimizationLevel: "disabled",
    // Without the arena every intermediate result is mapped and zeroed anew: five times as slow.
    enableCpuMemArena: true,
    // A planned block for all intermediate results is larger than what the arena needs.
    enableMemPattern: false,
    // A thread that waits for the others spins. Endlessly, on cores that other programs use too, that makes a step up to
    // five times as slow; not at all, a step on idle cores takes 15 % longer. A little costs neither. And every session
    // has threads of its own: those of one must not spin beside the work of the next.
    // Masked scores leave denormal numbers in the softmax, where each costs some hundred cycles, there and in the products
    // behind it: 5 % of a small step.
    extra: {
      session: { set_denormal_as_zero: "1", force_spinning_stop: "1", intra_op: { spin_duration_us: "50" } },
    },
    // Failures come as exceptions; printed as well, they would stand in a notebook's output.
    logSeverityLevel: 4,
  };
}

import type { NamedTensors } from "../model/types.js";

export type EngineName = "auto" | "onnx" | "tfjs-node-gpu" | "tfjs-node" | "wasm" | "webgpu" | "cpu";

/** What an engine may be told; each takes what it understands. */
export interface EngineOptions {
  /** onnx: an ONNX Runtime execution provider, such as "cpu", "cuda" or "webgpu". Default: the CPU. */
  device?: string;
  /** Threads for one operation. Default: what the machine has. */
  threads?: number;
}

export interface JitOptions {
  /** For error messages. Default: the function's name. */
  name?: string;
  /**
   * The caller vouches that the step depends on nothing but its inputs and tensors that never change. Then an engine that
   * replays it records it once a shape, and not at every call to see whether that is so. Where the promise is broken the
   * replay goes on with the numbers of the first call, and nobody is told.
   */
  pure?: boolean;
  /**
   * The call may return as soon as its computation is under way, so that the next can be asked for; a failure reaches
   * whoever reads a result.
   */
  deferred?: boolean;
}

/**
 * A step that the engine may trace once per input shape and replay.
 *
 * The step must be a function of its inputs and of immutable tensors (frozen weights); a tf.Variable or a number that
 * changes between calls would be frozen by a replay and is an error. Inputs stay the caller's; outputs belong to the caller.
 */
export interface JitFunction<I extends NamedTensors, O extends NamedTensors> {
  (inputs: I): Promise<O>;
  /** Frees cached sessions. */
  dispose(): void;
}

/** Which TensorFlow.js backend computes, and how a step runs on it. */
export interface Engine {
  readonly name: Exclude<EngineName, "auto">;
  /** The tfjs backend name, `tf.getBackend()`. */
  readonly backend: string;
  /** `jit` traces a step anew for each shape of its inputs, which costs as much as a few steps: use few shapes. */
  readonly tracesShapes?: boolean;
  /** Whether `jit` can return before a step has been computed (`JitOptions.deferred`). */
  readonly defers?: boolean;
  /** One line for people: library, version, device, threads. */
  readonly description: string;
  jit<I extends NamedTensors, O extends NamedTensors>(step: (inputs: I) => O, options?: JitOptions): JitFunction<I, O>;
}

import type { NamedTensors } from "../model/types.js";

export type EngineName = "auto" | "onnx" | "tfjs-node-gpu" | "tfjs-node" | "wasm" | "webgpu" | "cpu";

/** What an engine may be told; each takes what it understands. */
export interface EngineOptions {
  /** onnx: an ONNX Runtime execution provider, such as "cpu", "cuda" or "webgpu". Default: the CPU. */
  device?: string;
  /** Threads for one operation. Default: what the machine has. */
  threads?: number;
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
  /** One line for people: library, version, device, threads. */
  readonly description: string;
  jit<I extends NamedTensors, O extends NamedTensors>(
    step: (inputs: I) => O,
    options?: { name?: string },
  ): JitFunction<I, O>;
}

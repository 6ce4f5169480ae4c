import { availableParallelism } from "node:os";
import * as tf from "@tensorflow/tfjs";
import { type BackendWasm, version_wasm } from "@tensorflow/tfjs-backend-wasm";
import { eagerEngine } from "../eager.js";
import { EngineUnavailableError } from "../errors.js";
import type { Rung } from "../ladder.js";
import { replaceKernels } from "../replace-kernels.js";
import { wasmKernels } from "./kernels.js";
import { nativeFor, usesFusedMultiplyAdd } from "./native.js";
import { createSharedBackend } from "./threads/shared-heap.js";

/**
 * TensorFlow.js's WebAssembly backend, with the kernels that training needs replaced by our own. Large products are shared
 * among `threads` (default: one for each processor, at most 8); the rest runs in one.
 */
export const wasmRung: Rung = {
  name: "wasm",
  async start(options) {
    replaceKernels("wasm", wasmKernels);
    const threads = options.threads ?? Math.min(availableParallelism(), 8);
    await withoutProcessListeners(() => startBackend(threads));
    const simd = usesFusedMultiplyAdd() ? "relaxed SIMD (fused multiply-add)" : "SIMD";
    const started = nativeFor(tf.backend() as unknown as BackendWasm).pool?.threads ?? 1;
    return eagerEngine(
      "wasm",
      "wasm",
      `TensorFlow.js ${version_wasm} WebAssembly with kaisetsu's kernels, ${simd}, ` +
        (started === 1 ? "1 thread" : `${started} threads`),
    );
  },
};

let registered: number | undefined;

/** Registers and starts the backend for this number of threads, unless it is the one that runs. */
async function startBackend(threads: number): Promise<void> {
  if (registered !== threads) {
    if (registered !== undefined && tf.findBackend("wasm")) {
      throw new EngineUnavailableError(
        `the wasm engine already runs with ${registered} thread${registered === 1 ? "" : "s"}: choose their number first`,
      );
    }
    if (threads > 1) shareHeap();
    registered = threads;
  }
  if (!(await tf.setBackend("wasm"))) {
    throw new EngineUnavailableError("the WebAssembly backend of TensorFlow.js could not start");
  }
  await nativeFor(tf.backend() as unknown as BackendWasm, threads).pool?.started();
}

/** Puts a backend with a shared heap in the place of tfjs's own, which takes over again if that cannot start. */
function shareHeap(): void {
  const stock = tf.findBackendFactory("wasm");
  tf.removeBackend("wasm");
  const create = async () => {
    try {
      return (await createSharedBackend()) as unknown as tf.KernelBackend;
    } catch (error) {
      console.warn(`kaisetsu: the wasm engine goes on with one thread (${(error as Error).message})`);
      return stock();
    }
  };
  tf.registerBackend("wasm", create, 2);
}

/**
 * Emscripten's loader installs handlers that rethrow every uncaught exception and unhandled rejection of the whole
 * process, also those of a notebook cell that its kernel would report. Takes them away again.
 */
async function withoutProcessListeners<T>(start: () => Promise<T>): Promise<T> {
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const before = events.map((event) => process.listeners(event as "exit"));
  try {
    return await start();
  } finally {
    events.forEach((event, i) => {
      for (const listener of process.listeners(event as "exit")) {
        if (!before[i]!.includes(listener)) process.off(event, listener);
      }
    });
  }
}

import * as tf from "@tensorflow/tfjs";
import { type BackendWasm, version_wasm } from "@tensorflow/tfjs-backend-wasm";
import { eagerEngine } from "../eager.js";
import { EngineUnavailableError } from "../errors.js";
import type { Rung } from "../ladder.js";
import { replaceKernels } from "./kernels.js";
import { nativeFor, usesFusedMultiplyAdd } from "./native.js";

/** TensorFlow.js's WebAssembly backend, with the kernels that training needs replaced by our own. */
export const wasmRung: Rung = {
  name: "wasm",
  async start() {
    replaceKernels();
    const started = await withoutProcessListeners(() => tf.setBackend("wasm"));
    if (!started) {
      throw new EngineUnavailableError("the WebAssembly backend of TensorFlow.js could not start");
    }
    nativeFor(tf.backend() as unknown as BackendWasm);
    const simd = usesFusedMultiplyAdd() ? "relaxed SIMD (fused multiply-add)" : "SIMD";
    return eagerEngine(
      "wasm",
      "wasm",
      `TensorFlow.js ${version_wasm} WebAssembly with kaisetsu's kernels, ${simd}, 1 thread`,
    );
  },
};

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

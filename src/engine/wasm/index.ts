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
    if (!(await tf.setBackend("wasm"))) {
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

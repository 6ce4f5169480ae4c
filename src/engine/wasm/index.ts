import * as tf from "@tensorflow/tfjs";
import { version_wasm } from "@tensorflow/tfjs-backend-wasm";
import { eagerEngine } from "../eager.js";
import { EngineUnavailableError } from "../errors.js";
import type { Rung } from "../ladder.js";

/** TensorFlow.js's WebAssembly backend, with the kernels that training needs replaced by our own. */
export const wasmRung: Rung = {
  name: "wasm",
  async start() {
    if (!(await tf.setBackend("wasm"))) {
      throw new EngineUnavailableError("the WebAssembly backend of TensorFlow.js could not start");
    }
    return eagerEngine("wasm", "wasm", `TensorFlow.js ${version_wasm} WebAssembly, 1 thread`);
  },
};

import * as tf from "@tensorflow/tfjs";
import { eagerEngine } from "./eager.js";
import type { Rung } from "./ladder.js";

/** TensorFlow.js's own backend in plain JavaScript: the reference for tests, about a hundred times too slow for training. */
export const cpuRung: Rung = {
  name: "cpu",
  async start() {
    await tf.setBackend("cpu");
    return eagerEngine(
      "cpu",
      "cpu",
      `TensorFlow.js ${tf.version_core} in plain JavaScript, 1 thread (slow; for tests)`,
    );
  },
};

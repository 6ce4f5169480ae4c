/**
 * A TensorFlow.js backend named "onnx" that computes natively through onnxruntime-node.
 *
 * Importing it registers the backend: `await tf.setBackend("onnx")` then works for any TensorFlow.js program.
 */
import * as tf from "@tensorflow/tfjs";
import { BACKEND_NAME, registerKernels, sharedBackend } from "./register.js";

export { OnnxBackend } from "./backend.js";
export { OnnxRuntimeError } from "./device.js";
export { onnxRung } from "./engine.js";
export { JitError } from "./errors.js";

if (!tf.findBackendFactory(BACKEND_NAME)) {
  registerKernels();
  // Lower than the cpu backend's priority: importing it must not change which backend a program gets.
  tf.registerBackend(BACKEND_NAME, sharedBackend, 0);
}

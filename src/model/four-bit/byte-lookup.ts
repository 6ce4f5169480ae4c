import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";

/** The kernel's name; the onnx backend has one of its own. */
export const BYTE_LOOKUP = "KaisetsuByteLookup";

/**
 * Row `bytes[i]` of `table` for each i, `[n, width]`. Bytes are kept in a bool tensor, the one type of TensorFlow.js with
 * one byte an element; its own operations would take them for truth values, so this is a kernel of its own.
 *
 * @param table `[256, width]`
 */
export function byteLookup(bytes: Tensor1D, table: Tensor2D): Tensor2D {
  registerFor(tf.getBackend());
  return tf.engine().runKernel(BYTE_LOOKUP, { bytes, table }) as Tensor as Tensor2D;
}

export function bytesTensor(bytes: Uint8Array): Tensor1D {
  return tf.tensor1d(bytes, "bool");
}

/** A plain loop for every backend that has no kernel: it reads bytes and writes a new tensor. */
function registerFor(backendName: string): void {
  if (tf.getKernel(BYTE_LOOKUP, backendName)) return;
  tf.registerKernel({
    kernelName: BYTE_LOOKUP,
    backendName,
    kernelFunc: ({ inputs, backend: anyBackend }) => {
      const backend = anyBackend as tf.KernelBackend;
      const { bytes, table } = inputs as { bytes: tf.TensorInfo; table: tf.TensorInfo };
      const [from, rows] = [bytes, table].map(({ dataId }) => backend.readSync(dataId)) as [Uint8Array, Float32Array];
      const width = table.shape[1]!;
      const shape = [from.length, width];
      const values = new Float32Array(from.length * width);
      for (let i = 0, to = 0; i < from.length; i++) {
        const row = from[i]! * width;
        for (let j = 0; j < width; j++) values[to++] = rows[row + j]!;
      }
      return { dataId: backend.write(values, shape, "float32"), shape, dtype: "float32" };
    },
  });
}

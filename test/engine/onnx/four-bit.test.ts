import { describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { quantize4bit } from "../../../src/model/four-bit/four-bit.js";
import { FourBitMatrix } from "../../../src/model/four-bit/four-bit-linear.js";
import { assertSameAsCpu, floats } from "./compare.js";

describe("products with a weight that stays in 4 bits equal the cpu backend's", () => {
  for (const type of ["nf4", "fp4"] as const) {
    for (const double of [false, true]) {
      test(`${type}, double quantisation ${double}, and the gradient`, async () => {
        for (const [tokens, out, width] of [
          [1, 5, 64],
          [3, 40, 192],
          [7, 128, 256],
        ] as const) {
          const weight = Float32Array.from(floats(1, [out, width], -1, 1).values);
          const packed = quantize4bit(weight, [out, width], { type, double });
          const product = (x: tf.Tensor) => {
            const matrix = new FourBitMatrix(packed);
            const { value, grad } = tf.valueAndGrad((x) => tf.mean(tf.square(matrix.linear(x as tf.Tensor2D))))(x);
            const y = matrix.linear(x as tf.Tensor2D);
            matrix.dispose();
            return [y, value, grad];
          };
          await assertSameAsCpu(product, [floats(2, [tokens, width])]);
        }
      });
    }
  }
});

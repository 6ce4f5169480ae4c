import { describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { assertSameAsCpu, floats } from "./compare.js";

describe("matrix products equal the cpu backend", () => {
  const transposed = (shape: number[], swap: boolean) =>
    swap ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;
  const products: [number[], number[]][] = [
    [
      [2, 3],
      [3, 4],
    ],
    [
      [1, 96],
      [96, 5],
    ],
    [
      [2, 3, 5],
      [2, 5, 4],
    ],
    [
      [2, 3, 5],
      [1, 5, 4],
    ],
    [
      [1, 3, 5],
      [1, 5, 4],
    ],
    [
      [1, 3, 5],
      [2, 5, 4],
    ],
    [
      [2, 2, 3, 5],
      [2, 2, 5, 4],
    ],
    [
      [2, 2, 3, 5],
      [1, 1, 5, 4],
    ],
    [
      [2, 0],
      [0, 4],
    ],
    [
      [0, 3],
      [3, 4],
    ],
  ];
  for (const [left, right] of products) {
    test(`[${left}] x [${right}], all four transposes`, async () => {
      for (const a of [false, true]) {
        for (const b of [false, true]) {
          const operands = [floats(1, transposed(left, a)), floats(2, transposed(right, b))];
          await assertSameAsCpu((x, y) => tf.matMul(x, y, a, b), operands);
        }
      }
    });
  }
  test("fused with bias and activation, inner size above 48", async () => {
    for (const activation of ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu"] as const) {
      await assertSameAsCpu(
        (a, b, bias) =>
          tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D, bias, activation, leakyreluAlpha: 0.1 }),
        [floats(1, [3, 96]), floats(2, [96, 4]), floats(3, [4])],
      );
    }
  });
  test("dot and outerProduct", async () => {
    await assertSameAsCpu((a, b) => tf.dot(a, b), [floats(1, [5]), floats(2, [5])]);
    await assertSameAsCpu(
      (a, b) => tf.outerProduct(a as tf.Tensor1D, b as tf.Tensor1D),
      [floats(1, [5]), floats(2, [3])],
    );
  });
});

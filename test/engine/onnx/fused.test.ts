import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { useEngine } from "kaisetsu";
import { attend } from "../../../src/model/decoder/attend.js";
import { gatedUnit, rmsNorm, rotate } from "../../../src/model/decoder/ops.js";
import { assertClose } from "./compare.js";

type Compute = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Values and gradients by every input, on onnx as on the cpu backend, where each is composed of small kernels. */
async function assertSameGradients(shapes: number[][], compute: Compute): Promise<void> {
  const results = async (engine: "cpu" | "onnx") => {
    await useEngine(engine);
    return tf.tidy(() => {
      const inputs = shapes.map((shape, i) => tf.randomNormal(shape, 0, 1, "float32", i + 1));
      // Weighted, so that no element's gradient can stand in for another's.
      const weighted = (...list: tf.Tensor[]) => {
        const y = compute(...list);
        return tf.sum(tf.mul(y, tf.randomNormal(y.shape, 0, 1, "float32", 99)));
      };
      const { value, grads } = tf.valueAndGrads(weighted)(inputs);
      return [value, ...grads].map((tensor) => tensor.dataSync());
    });
  };
  const [expected, actual] = [await results("cpu"), await results("onnx")];
  for (const [i, want] of expected.entries()) assertClose(actual[i]!, want, 2e-5);
}

describe("operations of a decoder that onnx has kernels for", () => {
  for (const trains of [true, false]) {
    test(`the norm, of two and of four axes, with a weight that ${trains ? "trains" : "is frozen"}`, async () => {
      for (const shape of [
        [5, 24],
        [2, 3, 4, 16],
      ]) {
        await assertSameGradients([shape, [shape.at(-1)!]], (x, w) => {
          const y = rmsNorm(x!, w!, 1e-6, trains);
          return trains ? y : tf.add(y, tf.mul(w!, 0));
        });
      }
    });
  }

  test("the rotary embedding, with one table for all rows and with a line for each token", async () => {
    const angles = (shape: number[]) => tf.randomUniform(shape, -3, 3, "float32", 5);
    for (const shape of [
      [6, 8],
      [2, 1, 6, 8],
    ]) {
      await assertSameGradients([[2, 3, 6, 16]], (x) => rotate(x!, tf.cos(angles(shape)), tf.sin(angles(shape))));
    }
  });

  test("attention with and without soft-cap, and the gated unit", async () => {
    for (const softcap of [null, 2]) {
      await assertSameGradients(
        [
          [2, 6, 8],
          [2, 5, 8],
          [2, 5, 8],
        ],
        (q, k, v) => {
          const mask = tf.mul(tf.greater(tf.randomUniform([2, 1, 3, 5], 0, 1, "float32", 7), 0.7), -1e9);
          const options = { mask: mask as tf.Tensor4D, shape: [2, 2, 3, 5], scale: 0.3, softcap } as const;
          return attend(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { ...options, shape: [2, 2, 3, 5] });
        },
      );
    }
    for (const activation of ["gelu_pytorch_tanh", "silu"] as const) {
      await assertSameGradients(
        [
          [4, 33],
          [4, 33],
        ],
        (gate, up) => gatedUnit(activation, tf.mul(gate!, 3), up!),
      );
    }
  });

  test("GELU in its sigmoid form is GELU in its tanh form, from end to end", () => {
    tf.tidy(() => {
      const x = tf.linspace(-12, 12, 997);
      const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(tf.pow(x, 3), 0.044715)));
      const expected = tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1)).dataSync();
      assertClose(gatedUnit("gelu_pytorch_tanh", x, tf.onesLike(x)).dataSync(), expected, 1e-6);
    });
  });
});

describe("matrices that a jit step keeps packed", () => {
  test("products with them, transposed or not, are those of the matrices, and others read them too", async () => {
    const engine = await useEngine("onnx");
    const all = tf.randomNormal([96, 40], 0, 1, "float32", 1) as tf.Tensor2D;
    // A part of a tensor, without a copy of its own.
    const w = tf.slice2d(all, [32, 0], [48, 40]);
    const step = ({ x }: { x: tf.Tensor }) => {
      const y = tf.matMul(x as tf.Tensor2D, w, false, true);
      return { y, back: tf.matMul(y, w), row: tf.gather(w, tf.tensor1d([7], "int32")), sum: tf.sum(w) };
    };
    const replayed = engine.jit(step);
    for (const rows of [2, 64]) {
      const x = tf.randomNormal([rows, 40], 0, 1, "float32", 2);
      const expected = tf.tidy(() => step({ x }));
      const actual = await replayed({ x });
      for (const name of ["y", "back", "row", "sum"] as const) {
        assertClose(actual[name].dataSync(), expected[name].dataSync(), 1e-4);
      }
      tf.dispose([x, expected, actual]);
    }
    replayed.dispose();
    tf.dispose([all, w]);
  });

  test("parts of a tensor are read, gathered and kept when the whole is gone", async () => {
    await useEngine("onnx");
    const whole = tf.range(0, 6000).reshape([100, 60]);
    const rows = tf.slice(whole, [3, 0], [90, 60]);
    const one = tf.slice(rows, [1, 5], [1, 1]);
    const some = tf.slice(rows, [2, 10], [1, 7]);
    const columns = tf.slice(rows, [0, 1], [90, 2]);
    whole.dispose();
    assert.deepEqual([...(await one.data())], [245]);
    assert.deepEqual([...some.dataSync()], [310, 311, 312, 313, 314, 315, 316]);
    assert.deepEqual([...columns.dataSync()].slice(0, 4), [181, 182, 241, 242]);
    const sum = tf.sum(rows.reshape([60, 90]));
    assert.equal((await sum.data())[0], ((180 + 5579) / 2) * 5400);
    tf.dispose([rows, one, some, columns, sum]);
  });
});

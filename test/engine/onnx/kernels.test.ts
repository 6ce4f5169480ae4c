import { describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { assertSameAsCpu, bools, floats, ints, type Operand } from "./compare.js";

describe("reductions equal the cpu backend", () => {
  const ops = { sum: tf.sum, mean: tf.mean, max: tf.max, min: tf.min, prod: tf.prod };
  for (const [name, op] of Object.entries(ops)) {
    test(name, async () => {
      for (const axis of [undefined, 0, 1, -1, [0, 2], [1, 2]]) {
        for (const keepDims of [false, true]) {
          await assertSameAsCpu((x) => op(x, axis, keepDims), [floats(1, [2, 3, 4])]);
          await assertSameAsCpu((x) => op(x, axis, keepDims), [ints(2, [2, 3, 4])]);
        }
      }
      await assertSameAsCpu((x) => op(x, 0), [floats(1, [3])]);
      await assertSameAsCpu((x) => op(x), [floats(1, [])]);
      await assertSameAsCpu((x) => op(x), [bools(1, [3, 4])]);
    });
  }
  test("no elements at all", async () => {
    for (const op of [tf.sum, tf.prod]) await assertSameAsCpu((x) => op(x, 1), [floats(1, [2, 0])]);
    await assertSameAsCpu((x) => tf.sum(x, 0), [floats(1, [0, 3])]);
  });
  test("all and any", async () => {
    for (const op of [tf.all, tf.any]) {
      for (const axis of [undefined, 0, 1]) await assertSameAsCpu((x) => op(x, axis), [bools(1, [3, 4])]);
    }
  });
  test("argMax and argMin, ties included", async () => {
    for (const op of [tf.argMax, tf.argMin]) {
      for (const axis of [0, 1, -1]) {
        await assertSameAsCpu((x) => op(x, axis), [floats(1, [3, 4, 5])]);
        await assertSameAsCpu((x) => op(x, axis), [ints(1, [3, 4, 5], 0, 2)]);
      }
    }
  });
  test("softmax, logSoftmax, cumsum, topk", async () => {
    for (const shape of [[5], [2, 7], [2, 3, 4]]) {
      await assertSameAsCpu((x) => tf.softmax(x), [floats(1, shape, -9, 9)]);
      await assertSameAsCpu((x) => tf.logSoftmax(x), [floats(1, shape, -9, 9)]);
      for (const [exclusive, reverse] of [
        [false, false],
        [true, false],
        [false, true],
      ] as const) {
        await assertSameAsCpu((x) => tf.cumsum(x, shape.length - 1, exclusive, reverse), [floats(1, shape)]);
        await assertSameAsCpu((x) => tf.cumsum(x, 0, exclusive, reverse), [ints(1, shape)]);
      }
      await assertSameAsCpu((x) => Object.values(tf.topk(x, 2)), [floats(1, shape.with(-1, 5))]);
      await assertSameAsCpu((x) => Object.values(tf.topk(x, 3)), [ints(1, shape.with(-1, 5), 0, 2)]);
    }
  });
});

describe("kernels that move elements equal the cpu backend", () => {
  const each = [floats(1, [2, 3, 4]), ints(2, [2, 3, 4]), bools(3, [2, 3, 4])];
  const moves: Record<string, (x: tf.Tensor) => tf.Tensor | tf.Tensor[]> = {
    reshape: (x) => tf.reshape(x, [4, -1]),
    "reshape twice": (x) => tf.reshape(tf.reshape(x, [4, -1]), [24]),
    expandDims: (x) => tf.expandDims(x, -1),
    squeeze: (x) => tf.squeeze(tf.expandDims(x, 1)),
    transpose: (x) => tf.transpose(x, [2, 0, 1]),
    "transpose all": (x) => tf.transpose(x),
    slice: (x) => tf.slice(x, [0, 1, 2], [2, -1, 1]),
    "slice to nothing": (x) => tf.slice(x, [0, 1, 2], [2, 0, 1]),
    stridedSlice: (x) => tf.stridedSlice(x, [0, 0, 3], [2, 3, 0], [1, 2, -1]),
    "stridedSlice backwards": (x) => tf.stridedSlice(x, [1, 2, 3], [-3, -4, -5], [-1, -1, -2]),
    "stridedSlice masks": (x) => tf.stridedSlice(x, [1, 0], [2, 3], [1, 1], 0, 2, 0, 0, 1),
    reverse: (x) => tf.reverse(x, [0, -1]),
    concat: (x) => tf.concat([x, x, x], 1),
    "concat with nothing": (x) => tf.concat([x, tf.slice(x, [0, 0, 0], [2, 0, 4])], 1),
    stack: (x) => tf.stack([x, x], 2),
    unstack: (x) => tf.unstack(x, 1),
    split: (x) => tf.split(x, 2, 2),
    "split unevenly": (x) => tf.split(x, [1, 3], -1),
    "split with nothing": (x) => tf.split(x, [0, 4], -1),
    pad: (x) =>
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
          [0, 0],
        ],
        1,
      ),
    tile: (x) => tf.tile(x, [2, 1, 3]),
    "tile one": (x) => tf.tile(tf.slice(x, [0, 0, 0], [1, 1, 4]), [2, 3, 1]),
    broadcastTo: (x) => tf.broadcastTo(x, [5, 2, 3, 4]),
    mirrorPad: (x) =>
      tf.mirrorPad(
        x,
        [
          [0, 0],
          [1, 1],
          [0, 1],
        ],
        "reflect",
      ),
    fill: () => tf.fill([2, 3], 7),
    "fill int32": () => tf.fill([2, 3], 7, "int32"),
    ones: () => tf.ones([3, 2], "bool"),
    zeros: () => tf.zeros([0, 2]),
    range: () => tf.range(0, 5, 2, "int32"),
    "range down": () => tf.range(5, 0, -0.5),
    linspace: () => tf.linspace(0, 1, 7),
    eye: () => tf.eye(4),
    bandPart: (x) => tf.linalg.bandPart(x, 1, 0),
  };
  for (const [name, op] of Object.entries(moves)) {
    test(name, async () => {
      for (const operand of each) await assertSameAsCpu(op, [operand]);
    });
  }
});

describe("kernels that index equal the cpu backend", () => {
  test("gather along every axis", async () => {
    for (const axis of [0, 1, 2, -1]) {
      for (const shape of [[3], [2, 2], []]) {
        for (const x of [floats(1, [2, 3, 4]), ints(2, [2, 3, 4]), bools(3, [2, 3, 4])]) {
          await assertSameAsCpu((t, at) => tf.gather(t, at as tf.Tensor1D, axis), [x, ints(3, shape, 0, 2)]);
        }
      }
    }
    await assertSameAsCpu(
      (t, at) => tf.gather(t, at as tf.Tensor1D, 1, 1),
      [floats(1, [2, 5, 3]), ints(3, [2, 4], 0, 5)],
    );
  });
  test("gatherND and scatterND", async () => {
    await assertSameAsCpu((x, at) => tf.gatherND(x, at), [floats(1, [3, 4, 2]), ints(2, [5, 2], 0, 3)]);
    await assertSameAsCpu(
      (at, updates) => tf.scatterND(at, updates, [6, 2]),
      [ints(1, [5, 1], 0, 6), floats(2, [5, 2])],
    );
    await assertSameAsCpu(
      (x, at, updates) => tf.tensorScatterUpdate(x, at, updates),
      [floats(1, [6, 2]), { shape: [2, 1], dtype: "int32", values: [4, 1] }, floats(2, [2, 2])],
    );
  });
  test("unsortedSegmentSum", async () => {
    const at = ints(1, [6], 0, 4);
    await assertSameAsCpu((x, ids) => tf.unsortedSegmentSum(x, ids as tf.Tensor1D, 5), [floats(2, [6, 3]), at]);
    await assertSameAsCpu((x, ids) => tf.unsortedSegmentSum(x, ids as tf.Tensor1D, 5), [floats(2, [6]), at]);
  });
  test("oneHot, indices outside included", async () => {
    const at: Operand = { shape: [2, 3], dtype: "int32", values: [0, 4, -1, 2, 5, 1] };
    for (const dtype of ["float32", "int32", "bool"] as const) {
      await assertSameAsCpu((x) => tf.oneHot(x, 5, 1, 0, dtype), [at]);
    }
    await assertSameAsCpu((x) => tf.oneHot(x, 5, 0.9, 0.1, "float32"), [at]);
  });
  test("where", async () => {
    for (const x of [floats(1, [2, 3]), ints(1, [2, 3]), bools(1, [2, 3])]) {
      await assertSameAsCpu((mask, a, b) => tf.where(mask, a, b), [bools(2, [2, 3]), x, x]);
      await assertSameAsCpu((mask, a, b) => tf.where(mask, a, b), [bools(2, [3]), x, x]);
    }
  });
});

describe("further kernels equal the cpu backend", () => {
  test("expm1 and log1p, near zero too", async () => {
    const small = floats(1, [40], -1e-3, 1e-3);
    for (const op of [tf.expm1, tf.log1p]) {
      // As exact as they are small.
      await assertSameAsCpu((x) => tf.div(op(x), x), [small]);
      await assertSameAsCpu(op, [floats(2, [40], -0.99, 5)]);
      const special = [0, -1, Number.POSITIVE_INFINITY, Number.NaN, -2];
      await assertSameAsCpu(op, [{ shape: [5], dtype: "float32", values: special }]);
    }
    await assertSameAsCpu(tf.expm1, [{ shape: [3], dtype: "float32", values: [Number.NEGATIVE_INFINITY, 60, -60] }]);
  });
  test("einsum", async () => {
    for (const [equation, a, b] of [
      ["ij,jk->ki", [3, 4], [4, 5]],
      ["bqhd,bkhd->bhqk", [2, 3, 4, 5], [2, 6, 4, 5]],
      ["abc,c->ab", [2, 3, 4], [4]],
      ["i,j->ij", [3], [4]],
      ["ij,ij->", [3, 4], [3, 4]],
      ["ij , jk -> ik", [3, 4], [4, 5]],
    ] as const) {
      await assertSameAsCpu((x, y) => tf.einsum(equation, x, y), [floats(1, [...a]), floats(2, [...b])]);
    }
    await assertSameAsCpu((x) => tf.einsum("ijk->ki", x), [ints(1, [2, 3, 4])]);
  });
  test("batchNorm", async () => {
    const vectors = [floats(2, [3]), floats(3, [3], 0.1, 2), floats(4, [3]), floats(5, [3])];
    for (const shape of [
      [4, 3],
      [2, 4, 5, 3],
    ]) {
      await assertSameAsCpu(
        (x, mean, variance, offset, scale) =>
          tf.batchNorm(
            x,
            mean as tf.Tensor1D,
            variance as tf.Tensor1D,
            offset as tf.Tensor1D,
            scale as tf.Tensor1D,
            0.1,
          ),
        [floats(1, shape), ...vectors],
      );
      await assertSameAsCpu(
        (x, mean, variance) => tf.batchNorm(x, mean as tf.Tensor1D, variance as tf.Tensor1D),
        [floats(1, shape), ...vectors.slice(0, 2)],
      );
    }
  });
  test("diag and sparseToDense", async () => {
    for (const x of [floats(1, [4]), ints(2, [2, 3]), bools(3, [4])]) await assertSameAsCpu((t) => tf.diag(t), [x]);
    const at: Operand = { shape: [3, 2], dtype: "int32", values: [0, 1, 2, 0, 1, 3] };
    for (const values of [floats(1, [3]), ints(2, [3]), floats(3, [])]) {
      await assertSameAsCpu((i, v) => tf.sparseToDense(i, v, [3, 4], tf.scalar(7, v.dtype)), [at, values]);
    }
  });
});

describe("gradients equal the cpu backend", () => {
  const gradients: Record<string, [(...x: tf.Tensor[]) => tf.Tensor, Operand[]]> = {
    matMul: [(a, b) => tf.matMul(a, b), [floats(1, [3, 4]), floats(2, [4, 5])]],
    "matMul transposed": [(a, b) => tf.matMul(a, b, true, true), [floats(1, [4, 3]), floats(2, [5, 4])]],
    "matMul batched": [(a, b) => tf.matMul(a, b, false, true), [floats(1, [2, 3, 4]), floats(2, [2, 5, 4])]],
    softmax: [(x) => tf.softmax(x), [floats(1, [3, 5])]],
    logSoftmax: [(x) => tf.logSoftmax(x), [floats(1, [3, 5])]],
    gather: [(x) => tf.gather(x, tf.tensor1d([1, 3, 1], "int32")), [floats(1, [4, 3])]],
    slice: [(x) => tf.slice(x, [1, 0], [2, 2]), [floats(1, [4, 3])]],
    concat: [(a, b) => tf.concat([a, b], 1), [floats(1, [2, 3]), floats(2, [2, 2])]],
    transpose: [(x) => tf.transpose(x, [1, 2, 0]), [floats(1, [2, 3, 4])]],
    split: [(x) => tf.mul(tf.split(x, 2, 1)[0]!, tf.split(x, 2, 1)[1]!), [floats(1, [2, 4])]],
    tile: [(x) => tf.tile(x, [2, 3]), [floats(1, [2, 4])]],
    mean: [(x) => tf.mean(x, -1, true), [floats(1, [3, 5])]],
    max: [(x) => tf.max(x, -1), [floats(1, [3, 5])]],
    prod: [(x) => tf.prod(x, 1), [floats(1, [3, 5])]],
    rmsNorm: [
      (x, w) => tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))), w),
      [floats(1, [3, 8]), floats(2, [8])],
    ],
    where: [(x) => tf.where(tf.tensor1d([1, 0, 1], "bool"), x, tf.mul(x, 2)), [floats(1, [3, 3])]],
    pow: [(a, b) => tf.pow(a, b), [floats(1, [4], 0.5, 2), floats(2, [4])]],
    div: [(a, b) => tf.div(a, b), [floats(1, [2, 4]), floats(2, [4], 1, 2)]],
    maximum: [(a, b) => tf.maximum(a, b), [floats(1, [2, 4]), floats(2, [2, 4])]],
    cumsum: [(x) => tf.cumsum(x, 1), [floats(1, [2, 4])]],
    erf: [(x) => tf.erf(x), [floats(1, [6])]],
    tanh: [(x) => tf.tanh(x), [floats(1, [6])]],
    sigmoid: [(x) => tf.sigmoid(x), [floats(1, [6])]],
    elu: [(x) => tf.elu(x), [floats(1, [6])]],
    oneHot: [(x) => tf.mul(x, tf.oneHot(tf.tensor1d([1, 0], "int32"), 3)), [floats(1, [2, 3])]],
    stack: [(a, b) => tf.stack([a, b]), [floats(1, [2, 3]), floats(2, [2, 3])]],
    abs: [(x) => tf.abs(x), [floats(1, [6])]],
  };
  for (const [name, [op, operands]] of Object.entries(gradients)) {
    test(name, async () => {
      // Weighted, so that the gradient of each element differs.
      const loss = (...x: tf.Tensor[]) => {
        const y = op(...x);
        return tf.sum(tf.mul(y, tf.reshape(tf.range(1, y.size + 1), y.shape))) as tf.Scalar;
      };
      await assertSameAsCpu((...x) => tf.grads(loss)(x), operands, 2e-5);
    });
  }
});

import { describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { assertSameAsCpu, bools, floats, ints, type Operand } from "./compare.js";

type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;
type Unary = (x: tf.Tensor) => tf.Tensor;

const broadcasts: [number[], number[]][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [4, 1, 3],
    [2, 1],
  ],
  [[], [2, 2]],
  [[], []],
  [
    [2, 3],
    [1, 1],
  ],
  [
    [0, 3],
    [1, 3],
  ],
];

describe("element-wise kernels of two tensors equal the cpu backend", () => {
  const anyNumbers: Record<string, Binary> = {
    add: tf.add,
    sub: tf.sub,
    mul: tf.mul,
    maximum: tf.maximum,
    minimum: tf.minimum,
    squaredDifference: tf.squaredDifference,
    equal: tf.equal,
    notEqual: tf.notEqual,
    greater: tf.greater,
    greaterEqual: tf.greaterEqual,
    less: tf.less,
    lessEqual: tf.lessEqual,
  };
  for (const [name, op] of Object.entries(anyNumbers)) {
    test(name, async () => {
      for (const [left, right] of broadcasts) {
        await assertSameAsCpu(op, [floats(1, left), floats(2, right)]);
        await assertSameAsCpu(op, [ints(3, left), ints(4, right)]);
        await assertSameAsCpu(op, [ints(5, left), floats(6, right)]);
      }
      // The cpu backend adds and subtracts booleans as bytes; here they stay booleans.
      if (name !== "add" && name !== "sub") await assertSameAsCpu(op, [bools(7, [3, 4]), bools(8, [4])]);
    });
  }

  test("div, floorDiv, mod and pow", async () => {
    for (const [left, right] of broadcasts) {
      const positive = floats(2, right, 0.5, 3);
      await assertSameAsCpu(tf.div, [floats(1, left), positive]);
      await assertSameAsCpu(tf.floorDiv, [floats(1, left), positive]);
      await assertSameAsCpu(tf.mod, [floats(1, left), positive]);
      await assertSameAsCpu(tf.mod, [floats(1, left), floats(2, right, -3, -0.5)]);
      await assertSameAsCpu(tf.pow, [floats(1, left, 0.1, 2), floats(2, right)]);
      await assertSameAsCpu(tf.div, [ints(1, left, -20, 20), ints(2, right, 1, 6)]);
      await assertSameAsCpu(tf.floorDiv, [ints(1, left, -20, 20), ints(2, right, -6, -1)]);
      await assertSameAsCpu(tf.mod, [ints(1, left, -20, 20), ints(2, right, 1, 6)]);
      await assertSameAsCpu(tf.pow, [ints(1, left), ints(2, right, 0, 4)]);
    }
  });

  test("logical kernels", async () => {
    for (const op of [tf.logicalAnd, tf.logicalOr, tf.logicalXor] as Binary[]) {
      for (const [left, right] of broadcasts) await assertSameAsCpu(op, [bools(1, left), bools(2, right)]);
    }
    await assertSameAsCpu(tf.bitwiseAnd as Binary, [ints(1, [3, 4], 0, 99), ints(2, [3, 4], 0, 99)]);
  });

  test("addN", async () => {
    await assertSameAsCpu((...list) => tf.addN(list), [floats(1, [2, 3]), floats(2, [2, 3]), floats(3, [2, 3])]);
    await assertSameAsCpu((...list) => tf.addN(list), [ints(1, [2, 3]), ints(2, [2, 3])]);
  });
});

describe("element-wise kernels of one tensor equal the cpu backend", () => {
  /** tfjs-core refuses integers for these. */
  const floatsOnly = new Set([
    "ceil",
    "floor",
    "elu",
    "tanh",
    "sigmoid",
    "sin",
    "cos",
    "tan",
    "cosh",
    "logSigmoid",
    "leakyRelu",
  ]);
  const everywhere: Record<string, Unary> = {
    abs: tf.abs,
    neg: tf.neg,
    sign: tf.sign,
    ceil: tf.ceil,
    floor: tf.floor,
    round: tf.round,
    relu: tf.relu,
    relu6: tf.relu6,
    elu: tf.elu,
    selu: tf.selu,
    exp: tf.exp,
    expm1: tf.expm1,
    tanh: tf.tanh,
    sigmoid: tf.sigmoid,
    erf: tf.erf,
    softplus: tf.softplus,
    sin: tf.sin,
    cos: tf.cos,
    tan: tf.tan,
    atan: tf.atan,
    sinh: tf.sinh,
    cosh: tf.cosh,
    asinh: tf.asinh,
    square: tf.square,
    step: (x) => tf.step(x, 0.5),
    leakyRelu: (x) => tf.leakyRelu(x, 0.3),
    clip: (x) => tf.clipByValue(x, -1, 1),
    isNaN: tf.isNaN,
    isInf: tf.isInf,
    isFinite: tf.isFinite,
    zerosLike: tf.zerosLike,
    onesLike: tf.onesLike,
    logSigmoid: tf.logSigmoid,
    clone: tf.clone,
  };
  for (const [name, op] of Object.entries(everywhere)) {
    test(name, async () => {
      for (const shape of [[7], [2, 3, 4], [], [0, 2]]) await assertSameAsCpu(op, [floats(1, shape, -3, 3)]);
      if (!floatsOnly.has(name)) await assertSameAsCpu(op, [ints(1, [5])]);
    });
  }

  const positive: Record<string, Unary> = {
    sqrt: tf.sqrt,
    rsqrt: tf.rsqrt,
    log: tf.log,
    log1p: tf.log1p,
    reciprocal: tf.reciprocal,
  };
  for (const [name, op] of Object.entries(positive)) {
    test(name, async () => {
      for (const shape of [[7], [2, 3, 4], []]) await assertSameAsCpu(op, [floats(1, shape, 0.1, 3)]);
    });
  }

  test("inverse functions on their own ranges", async () => {
    for (const op of [tf.acos, tf.asin, tf.atanh] as Unary[]) await assertSameAsCpu(op, [floats(1, [9], -0.9, 0.9)]);
    await assertSameAsCpu(tf.acosh, [floats(1, [9], 1.1, 4)]);
  });

  test("NaN and infinities", async () => {
    const odd: Operand = { shape: [4], dtype: "float32", values: [Number.NaN, Infinity, -Infinity, 0] };
    for (const op of [tf.isNaN, tf.isInf, tf.isFinite, tf.exp, tf.tanh, tf.sigmoid, tf.abs] as Unary[]) {
      await assertSameAsCpu(op, [odd]);
    }
  });

  test("cast between all types", async () => {
    const operands = [floats(1, [6], -3, 3), ints(2, [6], -3, 3), bools(3, [6])];
    const zeros: Operand = { shape: [4], dtype: "float32", values: [0, 0.5, 256, 2] };
    for (const operand of [...operands, zeros]) {
      for (const dtype of ["float32", "int32", "bool"] as const)
        await assertSameAsCpu((x) => tf.cast(x, dtype), [operand]);
    }
  });

  test("logicalNot and prelu", async () => {
    await assertSameAsCpu(tf.logicalNot, [bools(1, [2, 3])]);
    await assertSameAsCpu((x, alpha) => tf.prelu(x, alpha), [floats(1, [2, 3]), floats(2, [3])]);
  });
});

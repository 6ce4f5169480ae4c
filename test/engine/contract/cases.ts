import * as tf from "@tensorflow/tfjs";
import type { Case } from "./case.js";
import { fusedProducts, products } from "./product-cases.js";
import type { Source } from "./source.js";

const shadersMayErr = "WGSL's sin and cos may err by 2^-11";
const shadersMayIgnore = "WGSL promises nothing about NaN";

export const cases: Case[] = [
  ...products(),
  ...fusedProducts(),
  ...movement(),
  ...elementwise(),
  ...reductions(),
  ...lookups(),
  ...gradients(),
];

function movement(): Case[] {
  const slices: [number[], number[], number[]][] = [
    [[10], [3], [4]],
    [
      [6, 8],
      [2, 0],
      [3, 8],
    ],
    [
      [6, 8],
      [1, 2],
      [4, 5],
    ],
    [
      [6, 40],
      [1, 2],
      [4, 35],
    ],
    [
      [3, 4, 5],
      [1, 0, 0],
      [2, 4, 5],
    ],
    [
      [3, 4, 5],
      [0, 1, 2],
      [3, 2, 3],
    ],
    [
      [2, 3, 4, 5],
      [0, 1, 0, 2],
      [2, 2, 4, 3],
    ],
    [
      [2, 2, 3, 2, 4],
      [1, 0, 1, 0, 1],
      [1, 2, 2, 2, 3],
    ],
    [
      [5, 4],
      [2, 1],
      [0, 3],
    ],
    [
      [4, 3],
      [1, 0],
      [-1, 2],
    ],
  ];
  return [
    ...slices.map(([shape, begin, size]) => ({
      name: `slice [${shape}] from [${begin}] size [${size}]`,
      compute: (source: Source) => [
        tf.slice(source.float(shape), begin, size),
        tf.slice(source.int(shape, 100), begin, size),
        tf.slice(source.bool(shape), begin, size),
      ],
    })),
    {
      name: "transpose, concat, stack, split, tile, pad, reverse, expandDims, squeeze",
      compute: (source) => [
        tf.transpose(source.float([2, 3, 4, 5]), [0, 2, 1, 3]),
        tf.transpose(source.float([7, 9])),
        tf.concat([source.float([2, 3, 4]), source.float([2, 3, 1])], -1),
        tf.stack([source.float([3, 2]), source.float([3, 2])], 1),
        ...tf.split(source.float([12, 2]), [3, 4, 5]),
        ...tf.split(source.float([2, 12]), 3, 1),
        tf.tile(source.float([2, 3]), [2, 2]),
        tf.pad(source.float([2, 3]), [
          [1, 0],
          [2, 3],
        ]),
        tf.reverse(source.float([4, 3]), 0),
        tf.squeeze(tf.expandDims(source.float([2, 1, 3]), 0)),
      ],
    },
  ];
}

function elementwise(): Case[] {
  const shapes: [number[], number[]][] = [
    [
      [2, 3],
      [2, 3],
    ],
    [[2, 3], []],
    [[], [4]],
    [[5, 4], [4]],
    [
      [5, 4],
      [5, 1],
    ],
    [
      [2, 1, 4],
      [3, 1],
    ],
    [
      [1, 1, 6, 6],
      [2, 3, 1, 6],
    ],
    [[0, 3], [3]],
    [[40, 50], [50]],
    [
      [40, 50],
      [40, 1],
    ],
  ];
  const binary = [tf.add, tf.sub, tf.mul, tf.div, tf.maximum, tf.minimum, tf.squaredDifference] as ((
    a: tf.Tensor,
    b: tf.Tensor,
  ) => tf.Tensor)[];
  const unary = [
    ...[tf.exp, tf.tanh, tf.neg, tf.abs, tf.square, tf.sigmoid, tf.relu, tf.erf],
    (x: tf.Tensor) => tf.step(x),
  ] as ((x: tf.Tensor) => tf.Tensor)[];
  const comparisons = [tf.equal, tf.notEqual, tf.less, tf.lessEqual, tf.greater, tf.greaterEqual];
  return [
    ...shapes.map(([a, b]) => ({
      name: `arithmetic on [${a}] and [${b}]`,
      compute: (source: Source) => binary.map((op) => op(source.float(a), source.float(b, 0.5, 2))),
    })),
    ...shapes.map(([a, b]) => ({
      name: `comparisons on [${a}] and [${b}]`,
      compute: (source: Source) => [
        ...comparisons.map((op) => op(source.float(a), source.float(b))),
        ...comparisons.map((op) => op(source.int(a, 3), source.int(b, 3))),
        tf.maximum(source.int(a, 9, -9), source.int(b, 9, -9)),
        tf.logicalAnd(source.bool(a), source.bool(b)),
        tf.logicalOr(source.bool(a), source.bool(b)),
        tf.where(source.bool(a), source.float(a), source.float(a)),
      ],
    })),
    ...[[], [3], [7, 9], [2, 3, 21], [0]].map((shape) => ({
      name: `unary functions on [${shape}]`,
      compute: (source: Source) => [
        ...unary.map((op) => op(source.float(shape, -4, 4))),
        ...[tf.log, tf.sqrt, tf.rsqrt, tf.reciprocal].map((op) => op(source.float(shape, 0.1, 9))),
        tf.clipByValue(source.float(shape), -1, 0.5),
        tf.pow(source.float(shape, 0.1, 2), tf.scalar(3)),
        tf.logicalNot(source.bool(shape)),
      ],
    })),
    {
      name: "sin and cos",
      except: { webgpu: shadersMayErr, "onnx on webgpu": shadersMayErr },
      compute: (source) => [
        tf.sin(source.float([2, 3, 21], -4, 4)),
        tf.cos(source.float([2, 3, 21], -4, 4)),
        tf.sin(source.float([9], 0, 500)),
        tf.cos(source.float([9], 0, 500)),
      ],
    },
    {
      name: "exp, tanh and sigmoid at their ends",
      compute: () => {
        const ends = tf.tensor1d([-200, -104, -88, -87, -20, -9, -1e-4, 0, 1e-7, 1e-4, 0.6, 0.63, 8, 9, 20, 87, 88]);
        return [tf.exp(ends), tf.tanh(ends), tf.sigmoid(ends)];
      },
    },
    {
      name: "exp, tanh and relu of special values",
      except: { "onnx on webgpu": shadersMayIgnore },
      compute: () => {
        const special = tf.tensor1d([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 89, -0]);
        return [tf.exp(special), tf.tanh(special), tf.relu(special)];
      },
    },
    {
      name: "casts",
      compute: (source) => [
        tf.cast(tf.tensor1d([0, 0.5, 256, 2, -0.25, Number.NaN]), "bool"),
        tf.cast(tf.tensor1d([0, 256, -1, 512], "int32"), "bool"),
        tf.cast(source.float([3, 4], -9, 9), "int32"),
        tf.cast(source.bool([7]), "float32"),
        tf.cast(source.int([2, 5], 100), "float32"),
      ],
    },
  ];
}

function reductions(): Case[] {
  const axes: [number[], number | number[] | undefined][] = [
    [[7], undefined],
    [[5, 9], -1],
    [[5, 9], 0],
    [
      [2, 3, 4],
      [0, 2],
    ],
    [[2, 3, 70], -1],
    [[4, 1], 1],
    [[3, 0], 0],
  ];
  return [
    ...axes.map(([shape, axis]) => ({
      name: `reductions of [${shape}] over ${axis === undefined ? "everything" : `[${axis}]`}`,
      compute: (source: Source) => [
        tf.sum(source.float(shape), axis),
        tf.sum(source.float(shape), axis, true),
        tf.mean(source.float(shape), axis),
        tf.max(source.float(shape), axis),
        tf.min(source.float(shape), axis, true),
        tf.sum(source.int(shape, 50), axis),
      ],
    })),
    {
      name: "sums over nothing are 0",
      compute: (source) => [
        tf.sum(source.float([0])),
        tf.sum(source.float([3, 0]), 1),
        tf.sum(source.int([2, 0], 9), -1),
      ],
    },
    {
      name: "cumsum along an axis counted from the end",
      compute: (source) => tf.cumsum(source.float([3, 8]), -1, true),
      reference: (source) => tf.cumsum(source.float([3, 8]), 1, true),
    },
    {
      name: "softmax of rows that are masked in part, and wholly",
      compute: () => {
        const least = -3.4028234663852886e38;
        return tf.softmax(
          tf.tensor2d([
            [1, least, 2, least],
            [least, least, least, least],
          ]),
        );
      },
    },
    {
      name: "softmax, logSoftmax, logSumExp, argMax, topk, cumsum, all, any",
      compute: (source) => [
        tf.softmax(source.float([3, 50], -9, 9)),
        tf.softmax(tf.tensor2d([[1000, 999, -1e9, -1e9]])),
        tf.logSoftmax(source.float([3, 50], -9, 9)),
        tf.logSumExp(source.float([3, 50], -9, 9), -1),
        tf.argMax(source.float([4, 50]), -1),
        tf.argMin(source.float([4, 50]), 0),
        tf.topk(source.float([3, 20]), 5).values,
        tf.topk(source.float([3, 20]), 5).indices,
        tf.cumsum(source.float([3, 8]), 0),
        tf.cumsum(source.float([3, 8]), 1, true, true),
        tf.all(source.bool([6, 3]), 1),
        tf.any(source.bool([6, 3]), 0),
      ],
    },
  ];
}

function lookups(): Case[] {
  return [
    {
      name: "gather rows, gather along another axis, oneHot, range",
      compute: (source) => [
        tf.gather(source.float([30, 8]), source.int([2, 5], 30) as tf.Tensor2D),
        tf.gather(source.float([4, 9]), source.int([3], 9) as tf.Tensor1D, 1),
        tf.gather(source.float([30, 8]), tf.tensor1d([], "int32")),
        tf.oneHot(source.int([6], 5) as tf.Tensor1D, 5),
        tf.cast(tf.oneHot(source.int([2, 3], 5) as tf.Tensor2D, 5), "float32"),
        tf.range(0, 9, 2),
        tf.fill([2, 3], 0.25),
        tf.zeros([3]),
        tf.onesLike(source.float([2, 2])),
      ],
    },
    {
      name: "unsortedSegmentSum: repeats, gaps, and rows of every rank",
      compute: (source) => [
        tf.unsortedSegmentSum(source.float([20, 6]), source.int([20], 9) as tf.Tensor1D, 9),
        tf.unsortedSegmentSum(source.float([20]), source.int([20], 4) as tf.Tensor1D, 30),
        tf.unsortedSegmentSum(source.float([7, 2, 3]), source.int([7], 3) as tf.Tensor1D, 3),
        tf.unsortedSegmentSum(tf.zeros([0, 2]), tf.tensor1d([], "int32"), 3),
      ],
    },
  ];
}

function gradients(): Case[] {
  const grads = (f: (...xs: tf.Tensor[]) => tf.Tensor, ...xs: tf.Tensor[]) =>
    tf.grads((...args: tf.Tensor[]) => tf.sum(tf.square(f(...args))))(xs);
  return [
    ...[
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ].map(([ta, tb]) => ({
      name: `gradient of matMul, transposed ${ta} and ${tb}, batched`,
      compute: (source: Source) =>
        grads(
          (a, b) => tf.matMul(a, b, ta, tb),
          source.float(ta ? [2, 6, 4] : [2, 4, 6]),
          source.float(tb ? [2, 5, 6] : [2, 6, 5]),
        ),
      tolerance: 1e-4,
    })),
    {
      name: "gradient of an embedding",
      compute: (source) => {
        const ids = source.int([2, 6], 11) as tf.Tensor2D;
        return grads((table) => tf.gather(table, ids), source.float([11, 4]));
      },
    },
    {
      name: "gradients through norms, activations, softmax, slices, concat, where, broadcasts",
      compute: (source) => {
        const mask = source.bool([4, 6]);
        return [
          ...grads(
            (x, w) => tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))), tf.add(w, 1)),
            source.float([5, 8]),
            source.float([8]),
          ),
          ...grads((x) => tf.mul(tf.tanh(tf.div(x, 30)), 30), source.float([3, 7], -60, 60)),
          ...grads((x) => tf.softmax(x, -1), source.float([4, 9], -5, 5)),
          ...grads((x) => tf.logSoftmax(x, -1), source.float([4, 9], -5, 5)),
          ...grads(
            (x) => tf.concat([tf.neg(tf.slice(x, [0, 3], [4, 3])), tf.slice(x, [0, 0], [4, 3])], -1),
            source.float([4, 6]),
          ),
          ...grads((x, y) => tf.where(mask, x, y), source.float([4, 6]), source.float([4, 6])),
          ...grads((x, y) => tf.maximum(x, y), source.float([4, 6]), source.float([4, 6])),
          ...grads((x, y) => tf.mul(x, y), source.float([2, 3, 4]), source.float([3, 1])),
          ...grads((x) => tf.transpose(tf.reshape(x, [2, 3, 4]), [1, 0, 2]), source.float([6, 4])),
          ...grads((x) => tf.exp(tf.sigmoid(tf.log(tf.abs(x)))), source.float([11], 0.2, 3)),
        ];
      },
      tolerance: 1e-4,
    },
  ];
}

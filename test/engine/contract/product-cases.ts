import * as tf from "@tensorflow/tfjs";
import type { Case } from "./case.js";
import type { Source } from "./source.js";

export function products(): Case[] {
  const sizes = [
    [1, 1, 1],
    [1, 7, 5],
    [2, 33, 19],
    [3, 40, 64],
    [4, 16, 4],
    [5, 8, 48],
    [17, 3, 97],
    [33, 65, 31],
    [64, 64, 64],
    [7, 1, 300],
    [130, 70, 260],
    [0, 4, 3],
    [4, 0, 3],
    [3, 4, 0],
  ] as const;
  const batches: [number[], number[]][] = [
    [[3], [3]],
    [[3], [1]],
    [[1], [3]],
    [
      [2, 1],
      [1, 3],
    ],
    [[2, 3], [3]],
    [
      [2, 3],
      [2, 1],
    ],
    [[], [2]],
    [[2], []],
    [[0], [0]],
  ];
  const transposes = [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ] as const;
  const operand = (batch: number[], rows: number, columns: number, transposed: boolean) =>
    transposed ? [...batch, columns, rows] : [...batch, rows, columns];
  return transposes.flatMap(([ta, tb]) => [
    ...sizes.map(([m, n, k]) => ({
      name: `matMul ${m}x${k} by ${k}x${n}${label(ta, tb)}`,
      compute: (source: Source) =>
        tf.matMul(source.float(operand([], m, k, ta)), source.float(operand([], k, n, tb)), ta, tb),
      tolerance: 1e-6 * Math.max(10, k),
    })),
    ...batches.map(([a, b]) => ({
      name: `matMul batches [${a}] and [${b}]${label(ta, tb)}`,
      compute: (source: Source) =>
        tf.matMul(source.float(operand(a, 5, 6, ta)), source.float(operand(b, 6, 9, tb)), ta, tb),
      // The cpu backend gets the size wrong when both operands broadcast.
      reference: (source: Source) => {
        const batch = tf.broadcast_util.assertAndGetBroadcastShape(a, b);
        const [left, right] = [source.float(operand(a, 5, 6, ta)), source.float(operand(b, 6, 9, tb))];
        return tf.matMul(
          tf.broadcastTo(left, operand(batch, 5, 6, ta)),
          tf.broadcastTo(right, operand(batch, 6, 9, tb)),
          ta,
          tb,
        );
      },
    })),
    {
      name: `matMul large${label(ta, tb)}`,
      compute: (source: Source) =>
        tf.matMul(source.float(operand([], 150, 300, ta)), source.float(operand([], 300, 1040, tb)), ta, tb),
      tolerance: 1e-4,
    },
  ]);

  function label(ta: boolean, tb: boolean): string {
    return `${ta ? ", a transposed" : ""}${tb ? ", b transposed" : ""}`;
  }
}

export function fusedProducts(): Case[] {
  const activations = ["linear", "relu", "relu6", "sigmoid", "elu"] as const;
  return [
    ...activations.map((activation) => ({
      name: `fused.matMul with a bias over 96 and ${activation}`,
      compute: (source: Source) =>
        tf.fused.matMul({
          a: source.float([5, 96]) as tf.Tensor2D,
          b: source.float([96, 7]) as tf.Tensor2D,
          bias: source.float([7]),
          activation,
        }),
    })),
    {
      name: "fused.matMul with prelu and with leaky relu, transposed and batched",
      compute: (source) => [
        tf.fused.matMul({
          a: source.float([2, 96, 5]) as tf.Tensor3D,
          b: source.float([2, 7, 96]) as tf.Tensor3D,
          transposeA: true,
          transposeB: true,
          bias: source.float([7]),
          activation: "prelu",
          preluActivationWeights: source.float([7]),
        }),
        tf.fused.matMul({
          a: source.float([5, 96]) as tf.Tensor2D,
          b: source.float([96, 7]) as tf.Tensor2D,
          activation: "leakyrelu",
          leakyreluAlpha: 0.3,
        }),
      ],
    },
  ];
}

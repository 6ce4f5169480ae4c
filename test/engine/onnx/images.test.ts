import { describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { assertClose, assertSameAsCpu, floats, ints, type Operand, randomNumbers } from "./compare.js";

/** The gradients of all operands, each element of the result weighted differently. */
function gradients(op: (...x: tf.Tensor[]) => tf.Tensor): (...x: tf.Tensor[]) => tf.Tensor[] {
  const loss = (...x: tf.Tensor[]) => {
    const y = op(...x);
    return tf.sum(tf.mul(y, tf.reshape(tf.cos(tf.range(0, y.size)), y.shape))) as tf.Scalar;
  };
  return (...x) => tf.grads(loss)(x);
}

async function assertSameWithGradients(op: (...x: tf.Tensor[]) => tf.Tensor, operands: Operand[]): Promise<void> {
  await assertSameAsCpu(op, operands);
  await assertSameAsCpu(gradients(op), operands, 2e-5);
}

const next = randomNumbers(7);
const draw = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
const PADS = ["same", "valid", 0, 1, 2] as const;

interface Case {
  height: number;
  width: number;
  channels: number;
  size: [number, number];
  strides: [number, number];
  pad: (typeof PADS)[number];
}

/** Windows of all kinds that fit into their images. */
function cases(count: number): Case[] {
  return Array.from({ length: count }, () => ({
    height: draw(5, 9),
    width: draw(5, 9),
    channels: draw(1, 4),
    size: [draw(1, 4), draw(1, 4)],
    strides: [draw(1, 3), draw(1, 3)],
    pad: PADS[draw(0, 4)]!,
  }));
}

describe("convolutions equal the cpu backend, and their gradients", () => {
  test("of images", async () => {
    for (const [i, { height, width, channels, size, strides, pad }] of cases(16).entries()) {
      const filter = floats(i + 50, [...size, channels, draw(1, 3)]);
      for (const format of ["NHWC", "NCHW"] as const) {
        const image = format === "NHWC" ? [2, height, width, channels] : [2, channels, height, width];
        await assertSameWithGradients(
          (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad, format),
          [floats(i, image), filter],
        );
      }
    }
  });
  test("with dilations, explicit padding and other rounding", async () => {
    const operands = [floats(1, [2, 9, 8, 3]), floats(2, [3, 2, 3, 4])];
    const edges: [[number, number], [number, number], [number, number], [number, number]] = [
      [0, 0],
      [2, 1],
      [0, 3],
      [0, 0],
    ];
    const conv = (...options: unknown[]) =>
      ((x: tf.Tensor, w: tf.Tensor) => (tf.conv2d as (...args: unknown[]) => tf.Tensor)(x, w, ...options)) as never;
    await assertSameAsCpu(conv(1, "same", "NHWC", [2, 3]), operands);
    await assertSameAsCpu(conv(1, "valid", "NHWC", [3, 1]), operands);
    await assertSameWithGradients(conv([2, 1], edges, "NHWC"), operands);
    for (const rounding of ["floor", "round", "ceil"]) {
      await assertSameAsCpu(conv(3, 1, "NHWC", 1, rounding), operands);
    }
  });
  test("fused with bias and activation", async () => {
    const activations = ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu"] as const;
    for (const activation of activations) {
      for (const [size, depthwise] of [
        [3, false],
        [1, false],
        [3, true],
      ] as const) {
        const channelsOut = depthwise ? 6 : 4;
        const op = (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor, alpha: tf.Tensor) =>
          (depthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d)({
            x: x as tf.Tensor4D,
            filter: filter as tf.Tensor4D,
            strides: 1,
            pad: "same",
            bias,
            activation,
            preluActivationWeights: activation === "prelu" ? alpha : undefined!,
            leakyreluAlpha: 0.3,
          });
        await assertSameAsCpu(op as never, [
          floats(1, [2, 5, 6, 3]),
          floats(2, [size, size, 3, depthwise ? 2 : 4]),
          floats(3, [channelsOut]),
          floats(4, [channelsOut]),
        ]);
      }
    }
    await assertSameAsCpu(
      ((x: tf.Tensor4D, filter: tf.Tensor4D, bias: tf.Tensor1D, preluActivationWeights: tf.Tensor1D) =>
        tf.fused.conv2d({
          x,
          filter,
          strides: 1,
          pad: "valid",
          dataFormat: "NCHW",
          bias,
          activation: "prelu",
          preluActivationWeights,
        })) as never,
      [floats(1, [2, 3, 5, 6]), floats(2, [2, 3, 3, 4]), floats(3, [4]), floats(4, [4])],
    );
  });
  test("of single channels", async () => {
    for (const [i, { height, width, channels, size, strides, pad }] of cases(10).entries()) {
      await assertSameWithGradients(
        (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad),
        [floats(i, [2, height, width, channels]), floats(i + 50, [...size, channels, draw(1, 3)])],
      );
    }
    await assertSameAsCpu(
      (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same", "NHWC", 2),
      [floats(1, [2, 7, 8, 3]), floats(2, [3, 3, 3, 2])],
    );
    await assertSameAsCpu(
      (x, a, b) => tf.separableConv2d(x as tf.Tensor4D, a as tf.Tensor4D, b as tf.Tensor4D, 1, "same"),
      [floats(1, [2, 7, 8, 3]), floats(2, [3, 3, 3, 2]), floats(3, [1, 1, 6, 4])],
    );
  });
  test("transposed", async () => {
    for (const [strides, pad, size] of [
      [1, "same", 7],
      [2, "same", 14],
      [2, "valid", 15],
      [3, "same", 20],
    ] as const) {
      await assertSameWithGradients(
        (x, w) => tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [2, size, size, 4], strides, pad),
        [floats(1, [2, 7, 7, 3]), floats(2, [3, 3, 4, 3])],
      );
    }
  });
  test("of sequences and of volumes", async () => {
    await assertSameWithGradients(
      (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 2, "same"),
      [floats(1, [2, 9, 3]), floats(2, [3, 3, 4])],
    );
    for (const [strides, pad] of [
      [1, "same"],
      [2, "same"],
      [[1, 2, 3], "valid"],
    ] as const) {
      await assertSameWithGradients(
        (x, w) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, strides as never, pad),
        [floats(1, [2, 4, 5, 6, 2]), floats(2, [2, 3, 2, 2, 3])],
      );
    }
  });
});

describe("pooling equals the cpu backend, and its gradients", () => {
  const pools = { maxPool: tf.maxPool, avgPool: tf.avgPool };
  for (const [name, pool] of Object.entries(pools)) {
    test(name, async () => {
      for (const [i, { height, width, channels, size, strides, pad }] of cases(24).entries()) {
        const image = [2, height, width, channels];
        // Means of nothing but padding are the cpu backend's NaN.
        const uneven = size[0] !== size[1] || strides[0] !== strides[1];
        if (name === "avgPool" && typeof pad === "number" && (uneven || pad >= size[0])) continue;
        const op = (x: tf.Tensor) => pool(x as tf.Tensor4D, size, strides, pad);
        await assertSameWithGradients(op, [floats(i, image)]);
        // Many elements are equal here.
        const ties = ints(i + 1, image, 0, 3);
        if (name === "maxPool") await assertSameAsCpu(op, [ties]);
        await assertSameAsCpu(gradients(op), [{ ...ties, dtype: "float32" }], 2e-5);
      }
      await assertSameAsCpu((x) => pool(x as tf.Tensor4D, 3, 3, 1, "ceil"), [floats(1, [1, 9, 7, 2])]);
    });
  }
  test("of volumes, of sequences, and all there is", async () => {
    for (const pool of [tf.maxPool3d, tf.avgPool3d]) {
      for (const [size, strides, pad] of [
        [2, 2, "valid"],
        [3, 2, "same"],
        [3, 1, 1],
      ] as const) {
        await assertSameWithGradients((x) => pool(x as tf.Tensor5D, size, strides, pad), [floats(1, [2, 4, 5, 6, 2])]);
      }
      // The cpu backend's gradient of a maximum is wrong for such windows.
      await assertSameAsCpu((x) => pool(x as tf.Tensor5D, [1, 2, 3], 1, 0), [floats(1, [2, 4, 5, 6, 2])]);
    }
    await assertSameAsCpu((x) => tf.pool(x as tf.Tensor4D, 2, "max", "same", 2), [floats(1, [2, 6, 6, 2])]);
    await assertSameWithGradients((x) => tf.avgPool(x as tf.Tensor4D, [5, 6], 1, "valid"), [floats(1, [2, 5, 6, 2])]);
  });
  test("what is not a number has no gradient, and breaks nothing", async () => {
    const image: Operand = { ...floats(1, [1, 4, 4, 1]) };
    for (const i of [0, 1, 4, 5]) image.values[i] = i < 4 ? Number.NaN : Number.NEGATIVE_INFINITY;
    await assertSameAsCpu(
      gradients((x) => tf.maxPool(x as tf.Tensor4D, 2, 2, "valid")),
      [image],
    );
  });
});

describe("resizing and moving of images equals the cpu backend", () => {
  const image = floats(1, [2, 5, 7, 3]);
  test("resizing, its centers and corners", async () => {
    for (const resize of [tf.image.resizeBilinear, tf.image.resizeNearestNeighbor]) {
      for (const [alignCorners, halfPixelCenters] of [
        [false, false],
        [true, false],
        [false, true],
      ] as const) {
        for (const size of [
          [9, 4],
          [5, 14],
          [1, 1],
        ] as [number, number][]) {
          const op = (x: tf.Tensor) => resize(x as tf.Tensor4D, size, alignCorners, halfPixelCenters);
          await assertSameAsCpu(op, [image]);
          // The cpu backend's gradients know no centers of pixels, and are wrong for more than one image (nearest
          // neighbours) and for images that are not square (bilinear).
          if (!halfPixelCenters) await assertSameAsCpu(gradients(op), [floats(2, [1, 6, 6, 3])], 2e-5);
        }
      }
    }
  });
  test("the gradient of resizing is that of its definition", async () => {
    await tf.setBackend("onnx");
    const x = tf.tensor4d(image.values, image.shape as [number, number, number, number]);
    const direction = tf.cos(tf.reshape(tf.range(0, x.size), x.shape)) as tf.Tensor4D;
    for (const resize of [tf.image.resizeBilinear, tf.image.resizeNearestNeighbor]) {
      // Resizing is linear: the gradient along a direction is the resized direction.
      const loss = (t: tf.Tensor) => tf.sum(tf.square(resize(t as tf.Tensor4D, [4, 9], false, true)));
      const along = tf.sum(tf.mul(tf.grad(loss)(x), direction));
      const y = resize(x, [4, 9], false, true);
      const expected = tf.mul(2, tf.sum(tf.mul(y, resize(direction, [4, 9], false, true))));
      assertClose(await along.data(), await expected.data(), 1e-4);
    }
  });
  test("blocks, mirrors and flips", async () => {
    const edges: [number, number][] = [
      [0, 0],
      [2, 1],
      [0, 3],
      [1, 0],
    ];
    for (const mode of ["reflect", "symmetric"] as const) {
      for (const x of [image, ints(2, [2, 5, 7, 3])]) {
        await assertSameAsCpu((t) => tf.mirrorPad(t, edges as never, mode), [x]);
      }
    }
    await assertSameAsCpu((t) => tf.image.flipLeftRight(t as tf.Tensor4D), [image]);
    const margins = [
      [1, 0],
      [0, 1],
    ];
    await assertSameAsCpu((t) => tf.spaceToBatchND(t, [2, 4], margins), [image]);
    await assertSameAsCpu((t) => tf.batchToSpaceND(t, [2, 4], margins), [floats(1, [16, 3, 2, 3])]);
    await assertSameAsCpu((t) => tf.depthToSpace(t as tf.Tensor4D, 2), [floats(1, [2, 3, 4, 12])]);
  });
});

import * as tf from "@tensorflow/tfjs";
import { constant, emit, reshape, sizeOf, type Value } from "../values.js";
import { type Kernels, transpose, type Unary } from "./kernel.js";
import { pad, slice } from "./shape.js";

type Amounts = [number, number][];

/** Kernels that move blocks of space to other axes, and those that mirror it. */
export const blockKernels: Kernels = {
  SpaceToBatchND: ({ x }: Unary, { blockShape, paddings }: { blockShape: number[]; paddings: Amounts }) =>
    spaceToBatch(x, blockShape, paddings),
  BatchToSpaceND: ({ x }: Unary, { blockShape, crops }: { blockShape: number[]; crops: Amounts }) =>
    batchToSpace(x, blockShape, crops),
  DepthToSpace: ({ x }: Unary, { blockSize, dataFormat }: { blockSize: number; dataFormat: string }) =>
    depthToSpace(x, blockSize, dataFormat),
  MirrorPad: ({ x }: Unary, { paddings, mode }: { paddings: Amounts; mode: "reflect" | "symmetric" }) =>
    mirrorPad(x, paddings, mode),
};

const { getReshaped, getPermuted, getReshapedPermuted } = tf.backend_util;

function spaceToBatch(x: Value, blockShape: number[], paddings: Amounts): Value {
  const rest = x.shape.slice(1 + blockShape.length).map((): [number, number] => [0, 0]);
  const padded = pad(x, [[0, 0], ...paddings, ...rest], 0);
  const shape = padded.shape as number[];
  const block = sizeOf(blockShape);
  const apart = reshape(padded, getReshaped(shape, blockShape, block, false));
  const moved = transpose(apart, getPermuted(apart.shape.length, blockShape.length, false));
  return reshape(moved, getReshapedPermuted(shape, blockShape, block, false));
}

function batchToSpace(x: Value, blockShape: number[], crops: Amounts): Value {
  const shape = x.shape as number[];
  const block = sizeOf(blockShape);
  const apart = reshape(x, getReshaped(shape, blockShape, block));
  const moved = transpose(apart, getPermuted(apart.shape.length, blockShape.length));
  const whole = getReshapedPermuted(shape, blockShape, block);
  const begin = whole.map((_, axis) => crops[axis - 1]?.[0] ?? 0);
  const end = whole.map((size, axis) => size - (crops[axis - 1]?.[1] ?? 0));
  return slice(reshape(moved, whole), begin, end);
}

function depthToSpace(x: Value, block: number, dataFormat: string): Value {
  tf.util.assert(dataFormat === "NHWC", () => `depthToSpace: only NHWC is supported, not ${dataFormat}`);
  const [batch, height, width, depth] = x.shape as [number, number, number, number];
  const channels = depth / (block * block);
  const apart = reshape(x, [batch, height, width, block, block, channels]);
  return reshape(transpose(apart, [0, 1, 3, 2, 4, 5]), [batch, height * block, width * block, channels]);
}

/** ONNX mirrors in one of the two ways only; looking the lines up serves both, and every type. */
function mirrorPad(x: Value, paddings: Amounts, mode: "reflect" | "symmetric"): Value {
  const edge = mode === "reflect" ? 0 : 1;
  return paddings.reduce((padded, [before, behind], axis) => {
    if (before === 0 && behind === 0) return padded;
    const size = x.shape[axis]!;
    const at = Array.from({ length: before + size + behind }, (_, i) => {
      const place = i - before;
      if (place < 0) return -place - edge;
      return place < size ? place : 2 * (size - 1) - place + edge;
    });
    const shape = padded.shape.map((old, i) => (i === axis ? at.length : old));
    return emit("Gather", [padded, constant(at, [at.length], "int64")], shape, x.type, { axis });
  }, x);
}

import type * as tf from "@tensorflow/tfjs";
import type { Value } from "../values.js";
import { transpose } from "./kernel.js";
import { pad, slice } from "./shape.js";

/** Where the windows of a convolution or pooling lie: one entry for each axis of space. */
export interface Window {
  input: readonly number[];
  output: readonly number[];
  kernel: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  /** Padding in front of the input. */
  before: readonly number[];
  /** Padding behind what the last window reaches; negative where it leaves as many elements out. */
  behind: readonly number[];
  channelsLast: boolean;
}

type Info = tf.backend_util.Conv2DInfo | tf.backend_util.Conv3DInfo;

/**
 * TensorFlow.js's plan of a convolution or pooling. Its own padding behind does not say how far the windows reach: with a
 * number as padding it counts the windows of every axis as those of the first.
 */
export function windowOf(info: Info): Window {
  const deep = "inDepth" in info;
  const each = <T>(depth: (info: tf.backend_util.Conv3DInfo) => T, height: T, width: T) =>
    deep ? [depth(info), height, width] : [height, width];
  const input = each((i) => i.inDepth, info.inHeight, info.inWidth);
  const output = each((i) => i.outDepth, info.outHeight, info.outWidth);
  const kernel = each((i) => i.filterDepth, info.filterHeight, info.filterWidth);
  const strides = each((i) => i.strideDepth, info.strideHeight, info.strideWidth);
  const dilations = each((i) => i.dilationDepth, info.dilationHeight, info.dilationWidth);
  const before = each((i) => i.padInfo.front, info.padInfo.top, info.padInfo.left);
  const behind = output.map((size, i) => {
    const reach = (size - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1;
    return reach - before[i]! - input[i]!;
  });
  return {
    input,
    output,
    kernel,
    strides,
    dilations,
    before,
    behind,
    channelsLast: info.dataFormat === "channelsLast",
  };
}

/** ONNX's attributes of a window, with no more padding than it needs. */
export function windowAttributes({ kernel, strides, dilations, before, behind }: Window) {
  return {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...before, ...behind.map((size) => Math.max(0, size))],
  };
}

/** `[batch, channels, …space]`, as ONNX has it. */
export function channelsFirst(x: Value, { channelsLast }: Window): Value {
  if (!channelsLast) return x;
  const last = x.shape.length - 1;
  return transpose(x, [0, last, ...x.shape.slice(2).map((_, i) => i + 1)]);
}

/** Undoes `channelsFirst`. */
export function asGiven(x: Value, { channelsLast }: Window): Value {
  return channelsLast ? transpose(x, [0, ...x.shape.slice(2).map((_, i) => i + 2), 1]) : x;
}

/** The image `[batch, channels, …space]` without what no window reaches: from that ONNX would count more windows. */
export function reachedPart(image: Value, window: Window): [image: Value, window: Window] {
  const left = window.behind.map((size, i) => (-size >= window.strides[i]! ? -size : 0));
  if (left.every((size) => size === 0)) return [image, window];
  const input = window.input.map((size, i) => size - left[i]!);
  const part = slice(image, [0, 0, ...input.map(() => 0)], [...image.shape.slice(0, 2), ...input]);
  return [part, { ...window, input, behind: window.behind.map((size, i) => size + left[i]!) }];
}

/** Zeros where no window reaches. */
export function withUnreached(image: Value, { input }: Window): Value {
  const missing = input.map((size, i): [number, number] => [0, size - image.shape[i + 2]!]);
  return pad(image, [[0, 0], [0, 0], ...missing], 0);
}

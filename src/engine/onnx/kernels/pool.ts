import * as tf from "@tensorflow/tfjs";
import { emit, emitAll, reshape, sameShape, sizeOf, type Value } from "../values.js";
import { transposedConvolution } from "./convolution.js";
import { binary, broadcastTo, cast, clip, fill, type Kernels, scalar, type Unary, where } from "./kernel.js";
import { pad, slice } from "./shape.js";
import {
  asGiven,
  channelsFirst,
  reachedPart,
  type Window,
  windowAttributes,
  windowOf,
  withUnreached,
} from "./window.js";

interface Attributes {
  filterSize: number | [number, number];
  strides: number | [number, number];
  pad: Parameters<typeof tf.backend_util.computePool2DInfo>[4];
  dimRoundingMode?: "floor" | "round" | "ceil";
}
interface Attributes3d {
  filterSize: number | [number, number, number];
  strides: number | [number, number, number];
  pad: "same" | "valid" | number;
  dimRoundingMode?: "floor" | "round" | "ceil";
}
interface Gradient {
  dy: Value;
  input: Value;
}

/** Pooling and its gradients; channels always come last. */
export const poolKernels: Kernels = {
  MaxPool: ({ x }: Unary, attributes: Attributes) => maxPool(x, window2d(x, attributes)),
  AvgPool: ({ x }: Unary, attributes: Attributes) => averagePool(x, window2d(x, attributes)),
  MaxPoolGrad: ({ dy, input }: Gradient, attributes: Attributes) => maxGradient(dy, input, window2d(input, attributes)),
  AvgPoolGrad: ({ dy, input }: Gradient, attributes: Attributes) => averageGradient(dy, window2d(input, attributes)),
  MaxPool3D: ({ x }: Unary, attributes: Attributes3d) => maxPool(x, window3d(x, attributes)),
  AvgPool3D: ({ x }: Unary, attributes: Attributes3d) => averagePool(x, window3d(x, attributes)),
  MaxPool3DGrad: ({ dy, input }: Gradient, attributes: Attributes3d) =>
    maxGradient(dy, input, window3d(input, attributes)),
  AvgPool3DGrad: ({ dy, input }: Gradient, attributes: Attributes3d) =>
    averageGradient(dy, window3d(input, attributes)),
};

function window2d({ shape }: Value, { filterSize, strides, pad, dimRoundingMode }: Attributes): Window {
  const image = shape as [number, number, number, number];
  return windowOf(tf.backend_util.computePool2DInfo(image, filterSize, strides, 1, pad, dimRoundingMode));
}

function window3d({ shape }: Value, { filterSize, strides, pad, dimRoundingMode }: Attributes3d): Window {
  const image = shape as [number, number, number, number, number];
  return windowOf(tf.backend_util.computePool3DInfo(image, filterSize, strides, 1, pad, dimRoundingMode));
}

/** What ONNX Runtime's maximum is where nothing is larger: minus infinity and what is not a number are not looked at. */
const LOWEST = -3.4028234663852886e38;

function maxPool(x: Value, window: Window): Value {
  if (isIdentity(window)) return x;
  const { source, inside } = fitted(channelsFirst(cast(x, "float32"), window), window, Number.NEGATIVE_INFINITY);
  const largest = emitPool("MaxPool", source, inside);
  const found = binary("Greater", largest, scalar(LOWEST), "bool");
  // To integers, infinity is 0.
  const none = scalar(x.type === "float32" ? Number.NEGATIVE_INFINITY : 0);
  return cast(asGiven(where(found, largest, none), window), x.type);
}

/** Padding is not counted; where there is nothing else, the mean is 0 (the cpu backend: in volumes only, in images NaN). */
function averagePool(x: Value, window: Window): Value {
  if (isIdentity(window)) return x;
  const image = channelsFirst(cast(x, "float32"), window);
  const { source, inside } = fitted(image, window, 0);
  const mean = emitPool("AveragePool", source, inside);
  if (inside.before === window.before) return cast(asGiven(mean, window), x.type);
  // An image with zeros around it has other means.
  const { source: counted } = fitted(fill(image.shape, 1, "float32"), window, 0);
  const share = emitPool("AveragePool", counted, inside);
  const atLeastOne = binary("Max", share, scalar(1 / sizeOf(window.kernel)));
  return cast(asGiven(binary("Div", mean, atLeastOne), window), x.type);
}

/** TensorFlow.js pools nothing then, whatever the strides and the padding are. */
function isIdentity({ input, output, kernel }: Window): boolean {
  return kernel.every((size) => size === 1) && sameShape(input, output);
}

/**
 * Each gradient goes to the first of the largest elements in its window, and nowhere if none is a number. (In volumes the
 * cpu backend takes the last one.)
 */
function maxGradient(dy: Value, x: Value, window: Window): Value {
  const { source, inside } = fitted(channelsFirst(cast(x, "float32"), window), window, Number.NEGATIVE_INFINITY);
  const shape = pooledShape(source, inside);
  const attributes = windowAttributes(inside);
  const [largest, at] = emitAll("MaxPool", [source], [shape, shape], ["float32", "int64"], attributes) as [
    Value,
    Value,
  ];
  const found = binary("Greater", largest, scalar(LOWEST), "bool");
  const updates = where(found, channelsFirst(cast(dy, "float32"), window), scalar(0));
  const flat = emit(
    "ScatterElements",
    [
      fill([source.size], 0, "float32"),
      clip(reshape(at, [at.size]), 0, source.size - 1),
      reshape(updates, [updates.size]),
    ],
    [source.size],
    "float32",
    { axis: 0, reduction: "add" },
  );
  return asGiven(unfitted(reshape(flat, source.shape), window, inside), window);
}

/** As TensorFlow.js has it: a window at the border, where padding was not counted, hands on no more than the others do. */
function averageGradient(dy: Value, window: Window): Value {
  const { input, output, kernel } = window;
  const share = binary("Mul", cast(dy, "float32"), scalar(1 / sizeOf(kernel)));
  if (liesSideBySide(window)) return spread(share, window);
  const [batch, channels] = [dy.shape[0]!, dy.shape.at(-1)!];
  const planes = reshape(channelsFirst(share, window), [batch * channels, 1, ...output]);
  const dx = transposedConvolution(planes, fill([1, 1, ...kernel], 1, "float32"), window, 1);
  return asGiven(reshape(dx, [batch, channels, ...input]), window);
}

/** Whether each element of the input is in one window, but for some at the end that are in none. */
function liesSideBySide({ output, kernel, strides, before, behind }: Window): boolean {
  return kernel.every((size, i) => before[i] === 0 && behind[i]! <= 0 && (output[i] === 1 || strides[i] === size));
}

/** Repeats each element over its window; they do not overlap. */
function spread(dy: Value, { input, output, kernel }: Window): Value {
  const [batch, channels] = [dy.shape[0]!, dy.shape.at(-1)!];
  const apart = reshape(dy, [batch, ...output.flatMap((size) => [size, 1]), channels]);
  const repeated = broadcastTo(apart, [batch, ...output.flatMap((size, i) => [size, kernel[i]!]), channels]);
  const reached = output.map((size, i) => size * kernel[i]!);
  const rest = reached.map((size, i): [number, number] => [0, input[i]! - size]);
  return pad(reshape(repeated, [batch, ...reached, channels]), [[0, 0], ...rest, [0, 0]], 0);
}

function emitPool(op: string, source: Value, window: Window): Value {
  return emit(op, [source], pooledShape(source, window), "float32", windowAttributes(window));
}

function pooledShape(source: Value, { output }: Window): number[] {
  return [...source.shape.slice(0, 2), ...output];
}

/**
 * The image `[batch, channels, …space]` as ONNX Runtime can pool it: without what no window reaches, and padded where it
 * refuses to, because there is as much padding as a window is large.
 */
function fitted(image: Value, asked: Window, value: number): { source: Value; inside: Window } {
  const [source, window] = reachedPart(image, asked);
  const { before, behind, kernel } = window;
  if (kernel.every((size, i) => before[i]! < size && behind[i]! < size)) return { source, inside: window };
  const amounts = before.map((size, i): [number, number] => [size, Math.max(0, behind[i]!)]);
  const padded = pad(source, [[0, 0], [0, 0], ...amounts], value);
  const none = before.map(() => 0);
  return { source: padded, inside: { ...window, input: padded.shape.slice(2), before: none, behind: none } };
}

/** Undoes `fitted`. */
function unfitted(source: Value, window: Window, inside: Window): Value {
  const begin = window.before.map((size, i) => size - inside.before[i]!);
  const end = begin.map((size, i) => Math.min(size + window.input[i]!, source.shape[i + 2]!));
  return withUnreached(slice(source, [0, 0, ...begin], [...source.shape.slice(0, 2), ...end]), window);
}

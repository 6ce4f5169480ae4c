import * as tf from "@tensorflow/tfjs";
import { emit, reshape, sameShape, sizeOf, type Value } from "../values.js";
import { type Activation, activate } from "./activation.js";
import { binary, cast, type Kernels, transpose } from "./kernel.js";
import { matMul } from "./matmul.js";
import { slice } from "./shape.js";
import {
  asGiven,
  channelsFirst,
  reachedPart,
  type Window,
  windowAttributes,
  windowOf,
  withUnreached,
} from "./window.js";

interface Forward {
  x: Value;
  filter: Value;
}
interface Backward {
  dy: Value;
  filter: Value;
}
interface FilterBackward {
  x: Value;
  dy: Value;
}
interface Fused extends Forward {
  bias?: Value;
  preluActivationWeights?: Value;
}

type Shape = readonly number[];
type Shape4 = [number, number, number, number];
type Shape5 = [number, number, number, number, number];

interface Attributes extends Activation {
  strides: number | [number, number];
  pad: Parameters<typeof tf.backend_util.computeConv2DInfo>[4];
  dilations?: number | [number, number];
  dataFormat?: "NHWC" | "NCHW";
  dimRoundingMode?: "floor" | "round" | "ceil";
}
interface Attributes3d {
  strides: number | [number, number, number];
  pad: "same" | "valid" | number;
  dilations?: number | [number, number, number];
}
interface OfInput {
  inputShape: Shape;
}
interface OfFilter {
  filterShape: Shape;
}

/** Convolutions and their gradients. Filters are `[…space, in, out]`, those of single channels `[…space, in, multiplier]`. */
export const convolutionKernels: Kernels = {
  Conv2D: ({ x, filter }: Forward, attributes: Attributes) =>
    convolution(x, filter, plan2d(x.shape, filter.shape, attributes)),
  FusedConv2D: (inputs: Fused, attributes: Attributes) => fused(inputs, attributes, false),
  Conv2DBackpropInput: ({ dy, filter }: Backward, attributes: Attributes & OfInput) =>
    inputGradient(dy, filter, plan2d(attributes.inputShape, filter.shape, attributes)),
  Conv2DBackpropFilter: ({ x, dy }: FilterBackward, attributes: Attributes & OfFilter) =>
    filterGradient(x, dy, plan2d(x.shape, attributes.filterShape, attributes)),

  DepthwiseConv2dNative: ({ x, filter }: Forward, attributes: Attributes) =>
    convolution(x, filter, plan2d(x.shape, filter.shape, attributes, true)),
  FusedDepthwiseConv2D: (inputs: Fused, attributes: Attributes) => fused(inputs, attributes, true),
  DepthwiseConv2dNativeBackpropInput: ({ dy, filter }: Backward, attributes: Attributes & OfInput) =>
    inputGradient(dy, filter, plan2d(attributes.inputShape, filter.shape, attributes, true)),
  DepthwiseConv2dNativeBackpropFilter: ({ x, dy }: FilterBackward, attributes: Attributes & OfFilter) =>
    filterGradient(x, dy, plan2d(x.shape, attributes.filterShape, attributes, true)),

  Conv3D: ({ x, filter }: Forward, attributes: Attributes3d) =>
    convolution(x, filter, plan3d(x.shape, filter.shape, attributes)),
  Conv3DBackpropInputV2: ({ dy, filter }: Backward, attributes: Attributes3d & OfInput) =>
    inputGradient(dy, filter, plan3d(attributes.inputShape, filter.shape, attributes)),
  Conv3DBackpropFilterV2: ({ x, dy }: FilterBackward, attributes: Attributes3d & OfFilter) =>
    filterGradient(x, dy, plan3d(x.shape, attributes.filterShape, attributes)),
};

interface Plan extends Window {
  filterShape: Shape;
  /** Groups of channels that see only each other: 1, or one for each channel of the input. */
  groups: number;
}

function plan2d(x: Shape, filter: Shape, attributes: Attributes, depthwise = false): Plan {
  const { strides, pad, dilations = 1, dataFormat = "NHWC", dimRoundingMode } = attributes;
  const info = tf.backend_util.computeConv2DInfo(
    x as Shape4,
    filter as Shape4,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    depthwise,
    tf.backend_util.convertConv2DDataFormat(dataFormat),
  );
  return { ...windowOf(info), filterShape: filter, groups: depthwise ? info.inChannels : 1 };
}

function plan3d(x: Shape, filter: Shape, { strides, pad, dilations = 1 }: Attributes3d): Plan {
  const info = tf.backend_util.computeConv3DInfo(x as Shape5, filter as Shape5, strides, dilations, pad);
  return { ...windowOf(info), filterShape: filter, groups: 1 };
}

/** @param finish done to each element of the result, in whatever order they lie */
function convolution(x: Value, filter: Value, plan: Plan, bias?: Value, finish = (y: Value) => y): Value {
  const channels = channelsOut(plan);
  if (isPointwise(plan)) {
    const product = matMul(rows(cast(x, "float32")), rows(cast(filter, "float32")), false, false);
    const y = finish(bias ? binary("Add", product, cast(bias, "float32")) : product);
    return cast(reshape(y, [...x.shape.slice(0, -1), channels]), x.type);
  }
  const [image, reached] = reachedPart(channelsFirst(cast(x, "float32"), plan), plan);
  const inputs = [image, onnxFilter(filter, plan)];
  if (bias) inputs.push(cast(bias, "float32"));
  const y = emit("Conv", inputs, [x.shape[0]!, channels, ...plan.output], "float32", {
    ...windowAttributes(reached),
    group: plan.groups,
  });
  return cast(asGiven(finish(y), plan), x.type);
}

function fused(inputs: Fused, attributes: Attributes, depthwise: boolean): Value {
  const { x, filter, bias, preluActivationWeights: alpha } = inputs;
  const plan = plan2d(x.shape, filter.shape, attributes, depthwise);
  const perChannel = bias?.shape.length === 1 && bias.size === channelsOut(plan);
  if ((!bias || perChannel) && !alpha) {
    return convolution(x, filter, plan, bias, (y) => activate(y, attributes));
  }
  const y = convolution(x, filter, plan, perChannel ? bias : undefined);
  const biased = bias && !perChannel ? binary("Add", y, bias) : y;
  return activate(biased, attributes, alpha && alongChannels(alpha, plan));
}

/** A vector stands for channels, wherever their axis is. */
function alongChannels(alpha: Value, { channelsLast, output }: Plan): Value {
  return channelsLast || alpha.shape.length !== 1 ? alpha : reshape(alpha, [alpha.size, ...output.map(() => 1)]);
}

/** The gradient of a convolution with respect to its input; also a transposed convolution. */
function inputGradient(dy: Value, filter: Value, plan: Plan): Value {
  if (isPointwise(plan)) {
    const product = matMul(rows(cast(dy, "float32")), rows(cast(filter, "float32")), false, true);
    return reshape(product, [...dy.shape.slice(0, -1), product.shape[1]!]);
  }
  const [batch, channels] = [dy.shape[0]!, channelsOut(plan)];
  const given = channelsFirst(cast(dy, "float32"), plan);
  // A transposed convolution may be given more than its output has room for; the cpu backend overlooks that.
  const used = slice(given, [0, 0, ...plan.output.map(() => 0)], [batch, channels, ...plan.output]);
  const dx = transposedConvolution(used, onnxFilter(filter, plan), plan, plan.groups);
  return asGiven(dx, plan);
}

/** Spreads each element of `dy` `[batch, channels, …output]` over its window. */
export function transposedConvolution(dy: Value, filter: Value, window: Window, groups: number): Value {
  const reached = window.input.map((size, i) => size - Math.max(0, -window.behind[i]!));
  const shape = [dy.shape[0]!, filter.shape[1]! * groups, ...reached];
  const spread = emit("ConvTranspose", [dy, filter], shape, "float32", { ...windowAttributes(window), group: groups });
  return withUnreached(spread, window);
}

/**
 * The gradient with respect to the filter is a convolution too: of the input with `dy` as its filter, where the batch is
 * summed up as channels are, and strides and dilations change places.
 */
function filterGradient(x: Value, dy: Value, plan: Plan): Value {
  const { filterShape, groups, input, output, kernel, strides, dilations, behind } = plan;
  if (isPointwise(plan)) {
    return reshape(matMul(rows(cast(x, "float32")), rows(cast(dy, "float32")), true, false), filterShape);
  }
  const batch = x.shape[0]!;
  const images = channelsBeforeBatch(cast(x, "float32"), plan);
  const [first, inner] = groups === 1 ? [images.shape[0]!, batch] : [1, images.shape[0]! * batch];
  const gradients = channelsBeforeBatch(cast(dy, "float32"), plan);
  const channels = gradients.shape[0]!;
  // Elements of the input that no window reaches may leave room for more steps than the filter has elements.
  const reached = kernel.map((size, i) => size + Math.floor(Math.max(0, -behind[i]!) / dilations[i]!));
  const exchanged = windowAttributes({ ...plan, kernel: output, strides: dilations, dilations: strides });
  const whole = emit(
    "Conv",
    [reshape(images, [first, inner, ...input]), gradients],
    [first, channels, ...reached],
    "float32",
    { ...exchanged, group: groups },
  );
  const cut = slice(whole, [0, 0, ...kernel.map(() => 0)], [first, channels, ...kernel]);
  const parts = reshape(cut, [...filterShape.slice(-2), ...kernel]);
  return transpose(parts, [...kernel.map((_, i) => i + 2), 0, 1]);
}

/** `[channels, batch, …space]`. */
function channelsBeforeBatch(x: Value, { channelsLast }: Window): Value {
  const last = x.shape.length - 1;
  const space = x.shape.slice(2).map((_, i) => (channelsLast ? i + 1 : i + 2));
  return transpose(x, [channelsLast ? last : 1, 0, ...space]);
}

/** `[out, in of the group, …space]`. */
function onnxFilter(filter: Value, { kernel, groups }: Plan): Value {
  const space = kernel.map((_, i) => i);
  const [inner, outer] = [kernel.length, kernel.length + 1];
  const weights = cast(filter, "float32");
  if (groups === 1) return transpose(weights, [outer, inner, ...space]);
  return reshape(transpose(weights, [inner, outer, ...space]), [filter.size / sizeOf(kernel), 1, ...kernel]);
}

function channelsOut({ filterShape, groups }: Plan): number {
  return filterShape.at(-1)! * groups;
}

/** Each element of the output comes from one place of the input: a matrix product. */
function isPointwise({ input, output, kernel, before, channelsLast, groups }: Plan): boolean {
  const still = [...kernel.map((size) => size - 1), ...before].every((size) => size === 0);
  return channelsLast && groups === 1 && still && sameShape(input, output);
}

/** A matrix with the last axis as columns. */
function rows(x: Value): Value {
  const columns = x.shape.at(-1)!;
  return reshape(x, [x.size / columns, columns]);
}

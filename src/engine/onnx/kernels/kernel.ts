import * as tf from "@tensorflow/tfjs";
import type { SessionSettings } from "../runtime.js";
import {
  constant,
  type ElementType,
  emit,
  hostValue,
  indices,
  ONNX_TYPE,
  sameShape,
  sizeOf,
  type Value,
} from "../values.js";

/**
 * Records what a TensorFlow.js kernel computes. Inputs come by the kernel's own names (or as a list), attributes as
 * TensorFlow.js passes them; each kernel declares those it reads. The settings name the device, for what one cannot do.
 */
export type Kernel = (inputs: never, attributes: never, settings?: SessionSettings) => Value | Value[];
export type Kernels = Record<string, Kernel>;

export interface Unary {
  x: Value;
}
export interface Binary {
  a: Value;
  b: Value;
}

export function cast(x: Value, type: ElementType): Value {
  return x.type === type ? x : emit("Cast", [x], x.shape, type, { to: ONNX_TYPE[type] });
}

/** A tensor of one repeated value. */
export function fill(shape: readonly number[], value: number, type: ElementType): Value {
  const size = sizeOf(shape);
  if (size === 0) return hostValue(shape, type);
  if (size === 1) return constant([value], shape, type);
  return emit("Expand", [scalar(value, type), indices(shape)], shape, type);
}

export function scalar(value: number, type: ElementType = "float32"): Value {
  return constant([value], [], type);
}

/** The shape of an element-wise operation on both; throws TensorFlow.js's error when there is none. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  return sameShape(a, b) ? [...a] : tf.backend_util.assertAndGetBroadcastShape(a as number[], b as number[]);
}

export function broadcastTo(x: Value, shape: readonly number[]): Value {
  return sameShape(shape, x.shape) ? x : emit("Expand", [x, indices(shape)], shape, x.type);
}

/** ONNX nodes with both shapes broadcast, as every binary operator does. */
export function binary(op: string, a: Value, b: Value, type: ElementType = a.type): Value {
  return emit(op, [a, b], broadcastShape(a.shape, b.shape), type);
}

export function unary(op: string, x: Value, attributes?: Record<string, number | { float: number }>): Value {
  return emit(op, [x], x.shape, x.type, attributes);
}

export function transpose(x: Value, perm: readonly number[]): Value {
  if (perm.every((axis, i) => axis === i)) return x;
  // Images go back and forth between TensorFlow.js's order of axes and ONNX's.
  const before = x.node?.op === "Transpose" ? (x.node.attributes!.perm as readonly number[]) : undefined;
  if (before && perm.every((axis, i) => before[axis] === i)) return x.node!.inputs[0]!;
  return emit(
    "Transpose",
    [x],
    perm.map((axis) => x.shape[axis]!),
    x.type,
    { perm: [...perm] },
  );
}

/** Elements of `yes` where `condition` holds, of `no` elsewhere. */
export function where(condition: Value, yes: Value, no: Value): Value {
  const shape = broadcastShape(broadcastShape(condition.shape, yes.shape), no.shape);
  // ONNX Runtime has no Where of booleans.
  if (yes.type === "bool") return cast(where(condition, cast(yes, "int32"), cast(no, "int32")), "bool");
  return emit("Where", [condition, yes, no], shape, yes.type);
}

export function clip(x: Value, low: number, high: number): Value {
  return emit("Clip", [x, scalar(low, x.type), scalar(high, x.type)], x.shape, x.type);
}

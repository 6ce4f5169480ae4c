import * as tf from "@tensorflow/tfjs";
import { emit, hostValue, type NarrowType, ONNX_TYPE, reinterpret, type Value, view } from "../values.js";
import { gatherKernels } from "./gather.js";
import type { Kernel, Kernels, Unary } from "./kernel.js";
import { matMul, matmulKernels, type Products } from "./matmul.js";
import { shapeKernels } from "./shape.js";

/**
 * Tensors of float32 that are kept in 16 bits, of a model whose checkpoint has no more: src/model/narrow-tensor.ts. These
 * kernels read them as they are; to any other the backend gives all numbers in 32 bits.
 */
export const narrowKernels: Kernels = {
  /** Takes `bits` over. */
  KaisetsuNarrowTensor: (_: object, { bits, shape, type }: { bits: Uint16Array; shape: number[]; type: NarrowType }) =>
    hostValue(shape, type, bits),
  Reshape: shapeKernels.Reshape!,
  Slice: orElse(shapeKernels.Slice!, ({ x }: Unary, attributes: { begin: number[]; size: number[] }) =>
    slice(x, attributes),
  ),
  GatherV2: orElse(gatherKernels.GatherV2!, ({ x, indices }: { x: Value; indices: Value }, attributes) => {
    const gather = gatherKernels.GatherV2 as (inputs: object, attributes: unknown) => Value;
    return floats(gather({ x: bitsOf(x), indices }, attributes), x.type as NarrowType);
  }),
  BatchMatMul: orElse(matmulKernels.BatchMatMul!, ({ a, b }: { a: Value; b: Value }, attributes: Products) =>
    product(a, b, attributes),
  ),
};

/** Whether a float32 tensor's numbers are kept in 16 bits. */
export function isNarrow({ type }: Value): boolean {
  return type === "bfloat16" || type === "float16";
}

/** The same numbers in 32 bits; each is exact. */
export function widened(value: Value): Value {
  return isNarrow(value) ? floats(bitsOf(value), value.type as NarrowType) : value;
}

/** ONNX Runtime's Node binding takes no bfloat16, so the bits come as integers. */
function bitsOf(value: Value): Value {
  return reinterpret(value, "uint16", value.shape, value.offset);
}

function floats(bits: Value, type: NarrowType): Value {
  const narrow = emit("BitCast", [bits], bits.shape, type, { to: ONNX_TYPE[type] });
  return emit("Cast", [narrow], bits.shape, "float32", { to: ONNX_TYPE.float32 });
}

/** Whole rows behind one another are widened alone. */
function slice(x: Value, { begin, size }: { begin: number | number[]; size: number | number[] }): Value {
  const [starts, sizes] = tf.slice_util.parseSliceParams(x as unknown as tf.TensorInfo, begin, size) as number[][];
  const rowLength = x.size / x.shape[0]!;
  const wholeRows = sizes!.every((length, axis) => axis === 0 || length === x.shape[axis]);
  if (wholeRows) return widened(view(x, sizes!, x.offset + starts![0]! * rowLength));
  return (shapeKernels.Slice as (inputs: Unary, attributes: object) => Value)({ x: widened(x) }, { begin, size });
}

/** Numbers of a matrix that are widened at a time, 4 MB: the product finds them in the cache. */
const PIECE = 2 ** 20;

/** `a · bᵀ`, as of an output head, never has all of b in 32 bits. */
function product(a: Value, b: Value, { transposeA, transposeB }: Products): Value {
  const [rows, width] = b.shape as [number, number];
  const count = Math.ceil(PIECE / width);
  if (!isNarrow(b) || b.shape.length !== 2 || !transposeB || rows <= count) {
    return matMul(widened(a), widened(b), transposeA, transposeB);
  }
  const left = widened(a);
  const parts: Value[] = [];
  for (let from = 0; from < rows; from += count) {
    const piece = view(b, [Math.min(count, rows - from), width], b.offset + from * width);
    parts.push(matMul(left, widened(piece), transposeA, true));
  }
  const shape = [...parts[0]!.shape.slice(0, -1), rows];
  return emit("Concat", parts, shape, "float32", { axis: shape.length - 1 });
}

/** `own` for narrow inputs, `kernel` for the rest. */
function orElse<I extends object, A>(kernel: Kernel, own: (inputs: I, attributes: A) => Value): Kernel {
  const usual = kernel as (inputs: I, attributes: A) => Value;
  return (inputs: I, attributes: A) =>
    (Object.values(inputs) as Value[]).some(isNarrow) ? own(inputs, attributes) : usual(inputs, attributes);
}

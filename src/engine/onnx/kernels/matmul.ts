import * as tf from "@tensorflow/tfjs";
import { emit, reshape, type Value } from "../values.js";
import { type Activation, activate } from "./activation.js";
import { binary, broadcastShape, cast, fill, type Kernels } from "./kernel.js";

export interface Products {
  transposeA: boolean;
  transposeB: boolean;
}

/** Matrix products. */
export const matmulKernels: Kernels = {
  BatchMatMul: ({ a, b }: { a: Value; b: Value }, { transposeA, transposeB }: Products) =>
    cast(matMul(cast(a, "float32"), cast(b, "float32"), transposeA, transposeB), a.type),
  _FusedMatMul: fusedMatMul,
  Einsum: (tensors: Value[], { equation }: { equation: string }) => einsum(tensors, equation),
};

/** `[…, m, k] x […, k, n]`; transposed operands are read as they lie. */
export function matMul(a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  const inner = a.shape.at(transposeA ? -2 : -1)!;
  tf.util.assert(
    a.shape.length > 1 && b.shape.length > 1 && inner === b.shape.at(transposeB ? -1 : -2),
    () =>
      `matMul: the inner dimensions of [${a.shape}] and [${b.shape}] do not fit (transposed: ${transposeA}, ${transposeB})`,
  );
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, rows, columns];
  if (inner === 0) return fill(shape, 0, "float32");
  // One large product is faster than a batch of small ones with the same matrix.
  const sharedB = b.shape.slice(0, -2).every((size) => size === 1);
  if (sharedB && !transposeA && a.shape.length > 2) {
    const flat = matMul(reshape(a, [a.size / inner, inner]), reshape(b, b.shape.slice(-2)), false, transposeB);
    return reshape(flat, shape);
  }
  if (batch.length > 0 && batch.every((size) => size === 1)) {
    return reshape(matMul(reshape(a, a.shape.slice(-2)), reshape(b, b.shape.slice(-2)), transposeA, transposeB), shape);
  }
  if (!transposeA && !transposeB) return emit("MatMul", [a, b], shape, "float32");
  const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
  return emit("FusedMatMul", [a, b], shape, "float32", attributes, "com.microsoft");
}

interface FusedInputs {
  a: Value;
  b: Value;
  bias?: Value;
  preluActivationWeights?: Value;
}

type FusedAttributes = Products & Activation;

function fusedMatMul(inputs: FusedInputs, attributes: FusedAttributes): Value {
  const product = matMul(inputs.a, inputs.b, attributes.transposeA, attributes.transposeB);
  const biased = inputs.bias ? binary("Add", product, cast(inputs.bias, "float32")) : product;
  return activate(biased, attributes, inputs.preluActivationWeights);
}

function einsum(tensors: Value[], equation: string): Value {
  const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, tensors.length);
  tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors as unknown as tf.Tensor[]);
  // The dimensions of the result come first.
  const shape = allDims.slice(0, allDims.length - summedDims.length).map((_, dim) => {
    const term = idDims.findIndex((dims) => dims.includes(dim));
    return tensors[term]!.shape[idDims[term]!.indexOf(dim)]!;
  });
  return emit("Einsum", tensors, shape, tensors[0]!.type, { equation: equation.replace(/\s/g, "") });
}

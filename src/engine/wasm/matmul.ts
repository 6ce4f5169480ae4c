import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type Native, nativeFor } from "./native.js";
import { type Chunk, chunk } from "./threads/work.js";

/** Below this many rows of C, packing B costs more than multiplying by it. */
const fewRows = 3;

/** One product of the batch: sizes, and where the operands lie. Strides and addresses in bytes. */
interface Product {
  rows: number;
  columns: number;
  depth: number;
  aRowStride: number;
  aDepthStride: number;
  bDepthStride: number;
  bColumnStride: number;
}

/**
 * Replaces tfjs's product, whose transposed and batched forms run in a scalar loop.
 * a `[..., m, k]` (or `[..., k, m]` transposed), b `[..., k, n]`; leading dimensions broadcast.
 */
export function batchMatMul(
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  backend: BackendWasm,
): TensorInfo {
  if (a.dtype !== "float32" || b.dtype !== "float32") {
    throw new Error(`matMul on the wasm engine needs float32, not ${a.dtype} and ${b.dtype}: cast first`);
  }
  const [rows, depth] = lastTwo(a.shape, transposeA);
  const [bDepth, columns] = lastTwo(b.shape, transposeB);
  if (depth !== bDepth) {
    throw new Error(
      `matMul: inner dimensions ${depth} and ${bDepth} differ (shapes [${a.shape}] and [${b.shape}], ` +
        `transposeA ${transposeA}, transposeB ${transposeB})`,
    );
  }
  const aBatch = a.shape.slice(0, -2);
  const bBatch = b.shape.slice(0, -2);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(aBatch, bBatch);
  const out = backend.makeOutput([...batch, rows, columns], "float32");
  if (tf.util.sizeFromShape(out.shape) === 0) return out;
  if (depth === 0) {
    backend.typedArrayFromHeap(out).fill(0);
    return out;
  }

  const product: Product = {
    rows,
    columns,
    depth,
    aRowStride: 4 * (transposeA ? 1 : depth),
    aDepthStride: 4 * (transposeA ? rows : 1),
    bDepthStride: 4 * (transposeB ? 1 : columns),
    bColumnStride: 4 * (transposeB ? depth : 1),
  };
  const native = nativeFor(backend);
  const address = ({ dataId }: TensorInfo) => backend.dataIdMap.get(dataId).memoryOffset;
  const [aAt, bAt, outAt] = [address(a), address(b), address(out)];
  const count = tf.util.sizeFromShape(batch);
  if (tf.util.sizeFromShape(bBatch) === 1 && !transposeA) {
    // One B for the whole batch: the rows of all A's are the rows of one product.
    multiply(native, { ...product, rows: rows * count }, aAt, bAt, outAt);
    return out;
  }
  const whole = (i: number) => ({
    a: aAt + 4 * rows * depth * aIndex[i]!,
    b: bAt + 4 * depth * columns * bIndex[i]!,
    c: outAt + 4 * rows * columns * i,
  });
  const aIndex = broadcastIndices(aBatch, batch);
  const bIndex = broadcastIndices(bBatch, batch);
  if (native.pool?.open && 2 * rows * columns * depth * count > worthSharing && rows > fewRows) {
    // One list for the whole batch; each member in one piece when there are enough of them.
    const pieces = Math.ceil(native.pool.threads / count);
    const list: Chunk[] = [];
    for (let i = 0; i < count; i++) {
      const { a, b, c } = whole(i);
      list.push(...chunks(product, a, b, c, pieces));
    }
    native.pool.run(list);
    return out;
  }
  for (let i = 0; i < count; i++) {
    const { a, b, c } = whole(i);
    multiply(native, product, a, b, c);
  }
  return out;
}

export const batchMatMulKernel: KernelFunc = ({ inputs, attrs, backend }) => {
  const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
  return batchMatMul(inputs.a!, inputs.b!, transposeA, transposeB, backend as BackendWasm);
};

/** tfjs's own adds the bias once for every 48 of the inner dimension. */
export const fusedMatMulKernel: KernelFunc = ({ inputs, attrs, backend }) => {
  const { transposeA, transposeB, activation, leakyreluAlpha } = attrs as unknown as {
    transposeA: boolean;
    transposeB: boolean;
    activation: string | null;
    leakyreluAlpha?: number;
  };
  const { a, b, bias, preluActivationWeights } = inputs;
  let result = batchMatMul(a!, b!, transposeA, transposeB, backend as BackendWasm);
  const apply = (kernelName: string, kernelInputs: Record<string, TensorInfo>, kernelAttrs = {}) => {
    const kernel = tf.getKernel(kernelName, "wasm");
    if (!kernel) throw new Error(`fused.matMul: the wasm engine has no activation "${activation}"`);
    const next = kernel.kernelFunc({ inputs: kernelInputs, attrs: kernelAttrs, backend }) as TensorInfo;
    (backend as BackendWasm).disposeData(result.dataId);
    result = next;
  };
  if (bias) apply("Add", { a: result, b: bias });
  if (!activation || activation === "linear") return result;
  if (activation === "prelu") apply("Prelu", { x: result, alpha: preluActivationWeights! });
  else if (activation === "leakyrelu") apply("LeakyRelu", { x: result }, { alpha: leakyreluAlpha ?? 0.2 });
  else apply(activation[0]!.toUpperCase() + activation.slice(1), { x: result });
  return result;
};

/** Floating-point operations below which waking a thread costs more than it saves. */
const worthSharing = 4e6;

function multiply(native: Native, product: Product, a: number, b: number, c: number): void {
  const { rows, columns, depth, aRowStride, aDepthStride, bDepthStride, bColumnStride } = product;
  if (rows <= fewRows && aDepthStride === 4) {
    for (let row = 0; row < rows; row++) {
      const [x, y] = [a + row * aRowStride, c + 4 * columns * row];
      if (bDepthStride === 4) native.gemvRows(columns, depth, x, b, bColumnStride, y);
      else native.gemvColumns(columns, depth, x, b, bDepthStride, y);
    }
    return;
  }
  if (native.pool?.open && 2 * rows * columns * depth > worthSharing) {
    native.pool.run(chunks(product, a, b, c, native.pool.threads));
    return;
  }
  const gemm = tileWidth(columns) === 8 ? native.gemm8 : native.gemm16;
  gemm(
    rows,
    columns,
    depth,
    a,
    aRowStride,
    aDepthStride,
    b,
    bDepthStride,
    bColumnStride,
    c,
    4 * columns,
    native.scratch,
  );
}

/** A narrow C would waste most of a wide tile. */
function tileWidth(columns: number): 8 | 16 {
  return columns < 64 && (columns - 1) % 16 < 8 ? 8 : 16;
}

/**
 * Cuts a product into a few pieces a thread. Columns are cut before rows: then no part of B is packed twice.
 */
function chunks(product: Product, a: number, b: number, c: number, threads: number): Chunk[] {
  const { rows, columns, depth, aRowStride, aDepthStride, bDepthStride, bColumnStride } = product;
  const width = tileWidth(columns);
  const pieces = 4 * threads;
  const [alongRows, alongColumns] =
    columns >= rows
      ? [rows, Math.max(128, 16 * Math.ceil(columns / pieces / 16))]
      : [Math.max(64, 4 * Math.ceil(rows / pieces / 4)), columns];
  const list: Chunk[] = [];
  for (let row = 0; row < rows; row += alongRows) {
    for (let column = 0; column < columns; column += alongColumns) {
      list.push(
        chunk(
          width === 8 ? "gemm8" : "gemm16",
          Math.min(alongRows, rows - row),
          Math.min(alongColumns, columns - column),
          depth,
          a + row * aRowStride,
          aRowStride,
          aDepthStride,
          b + column * bColumnStride,
          bDepthStride,
          bColumnStride,
          c + 4 * (row * columns + column),
          4 * columns,
        ),
      );
    }
  }
  return list;
}

function lastTwo(shape: number[], transposed: boolean): [number, number] {
  const [second, first] = [shape[shape.length - 2]!, shape[shape.length - 1]!];
  return transposed ? [first, second] : [second, first];
}

/** For each place of `batch`, row-major, the place that it reads in an operand whose batch dimensions are `shape`. */
function broadcastIndices(shape: number[], batch: number[]): Int32Array {
  const indices = new Int32Array(tf.util.sizeFromShape(batch));
  const strides: number[] = new Array(batch.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1) strides[axis + batch.length - shape.length] = stride;
    stride *= shape[axis]!;
  }
  for (let i = 0; i < indices.length; i++) {
    let rest = i;
    for (let axis = batch.length - 1; axis >= 0; axis--) {
      indices[i]! += (rest % batch[axis]!) * strides[axis]!;
      rest = Math.floor(rest / batch[axis]!);
    }
  }
  return indices;
}

import { emit, reinterpret, reshape, type Value } from "../values.js";
import { broadcastTo, cast, type Kernels } from "./kernel.js";
import { concat, slice } from "./shape.js";

/** The model room's 4-bit weights: src/model/four-bit/byte-lookup.ts and four-bit-product.ts. */
export const fourBitKernels: Kernels = {
  KaisetsuByteLookup: ({ bytes, table }: { bytes: Value; table: Value }) =>
    bytes.size >= MIN_BYTES && bytes.size % 2 === 0 && bytes.offset % 2 === 0
      ? lookupTwoBytes(bytes, table)
      : gatherRows(table, asBytes(bytes)),
  /** `x · Wᵀ` with the 4-bit W `[out, in]`. ONNX Runtime decodes W into a temporary, on all threads. */
  KaisetsuFourBitProduct: (inputs: ProductInputs, attributes: ProductAttributes) => product(inputs, attributes),
};

interface ProductInputs {
  x: Value;
  packed: Value;
  absmax: Value;
}

interface ProductAttributes {
  /** `[out, in]` */
  shape: [number, number];
  block: number;
  type: "nf4" | "fp4";
}

/**
 * Weights that one product decodes, at most 22 MB. A temporary that is much larger than the results beside it leaves gaps in ONNX
 * Runtime's memory, which they split and the next one does not fit into again.
 */
const DECODED_WEIGHTS = 5.5 * 2 ** 20;

function product({ x, packed, absmax }: ProductInputs, { shape: [N, K], block, type }: ProductAttributes): Value {
  const rows = Math.ceil(N / Math.ceil((N * K) / DECODED_WEIGHTS));
  const parts: Value[] = [];
  for (let from = 0; from < N; from += rows) {
    const count = Math.min(rows, N - from);
    const [begin, size] = [(from * K) / block, (count * K) / block];
    const attributes = { K, N: count, block_size: block, quant_type: type === "nf4" ? 1 : 0 };
    const bytes = reinterpret(packed, "uint8", [(count * K) / 2], packed.offset + (from * K) / 2);
    const scales = count === N ? absmax : slice(absmax, [begin], [begin + size]);
    parts.push(emit("MatMulBnb4", [x, bytes, scales], [x.shape[0]!, count], "float32", attributes, "com.microsoft"));
  }
  return concat(parts, 1);
}

/** Fewer bytes do not pay for the large table. */
const MIN_BYTES = 2 ** 20;

/** A Gather takes as long for eight numbers as for four, so two bytes at a time are looked up in a table of all pairs. */
function lookupTwoBytes(bytes: Value, table: Value): Value {
  const width = table.shape[1]!;
  // The lower address is the lower half of the number.
  const [low, high] = [
    [1, 256, width],
    [256, 1, width],
  ].map((shape) => broadcastTo(reshape(table, shape), [256, 256, width]));
  const pairs = emit("Concat", [low!, high!], [256, 256, 2 * width], "float32", { axis: 2 });
  const words = reinterpret(bytes, "uint16", [bytes.size / 2], bytes.offset / 2);
  return reshape(gatherRows(reshape(pairs, [2 ** 16, 2 * width]), words), [bytes.size, width]);
}

function gatherRows(table: Value, at: Value): Value {
  return emit("Gather", [table, cast(at, "int32")], [at.size, table.shape[1]!], "float32", { axis: 0 });
}

/** The same bytes under their true type: to ONNX Runtime a bool is 0 or 1. */
function asBytes(bools: Value): Value {
  return reinterpret(bools, "uint8", bools.shape, bools.offset);
}

import { emit, reinterpret, reshape, type Value } from "../values.js";
import { broadcastTo, cast, type Kernels } from "./kernel.js";

/** The model room's 4-bit weights: src/model/four-bit/byte-lookup.ts and four-bit-product.ts. */
export const fourBitKernels: Kernels = {
  KaisetsuByteLookup: ({ bytes, table }: { bytes: Value; table: Value }) =>
    bytes.size >= MIN_BYTES && bytes.size % 2 === 0 && bytes.offset % 2 === 0
      ? lookupTwoBytes(bytes, table)
      : gatherRows(table, asBytes(bytes)),
  /** `x · Wᵀ` with the 4-bit W `[out, in]`. ONNX Runtime decodes W into a temporary, on all threads. */
  KaisetsuFourBitProduct: (
    { x, packed, absmax }: { x: Value; packed: Value; absmax: Value },
    { shape, block, type }: { shape: [number, number]; block: number; type: "nf4" | "fp4" },
  ) => {
    const [N, K] = shape;
    const attributes = { K, N, block_size: block, quant_type: type === "nf4" ? 1 : 0 };
    const inputs = [x, asBytes(packed), absmax];
    return emit("MatMulBnb4", inputs, [x.shape[0]!, N], "float32", attributes, "com.microsoft");
  },
};

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

import { emit, nextOrder, Value } from "../values.js";
import { cast, type Kernels } from "./kernel.js";

/** The model room's 4-bit weights: src/model/four-bit/byte-lookup.ts and four-bit-product.ts. */
export const fourBitKernels: Kernels = {
  KaisetsuByteLookup: ({ bytes, table }: { bytes: Value; table: Value }) =>
    emit("Gather", [table, cast(asBytes(bytes), "int32")], [bytes.size, table.shape[1]!], "float32", { axis: 0 }),
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

/** The same bytes under their true type: to ONNX Runtime a bool is 0 or 1. */
function asBytes(bools: Value): Value {
  if (!bools.storage) throw new Error("onnx: packed bytes must be given, not computed");
  const bytes = new Value(bools.shape, "uint8", nextOrder(), bools.offset);
  bytes.storage = bools.storage;
  return bytes;
}

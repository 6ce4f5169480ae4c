import { emit, nextOrder, Value } from "../values.js";
import { cast, type Kernels } from "./kernel.js";

/** The model room's 4-bit weights: bytes in a bool tensor choose rows of a table; see src/model/byte-lookup.ts. */
export const byteLookupKernels: Kernels = {
  KaisetsuByteLookup: ({ bytes, table }: { bytes: Value; table: Value }) => {
    if (!bytes.storage) throw new Error("onnx: packed bytes must be given, not computed");
    // The same bytes under their true type: to ONNX Runtime a bool is 0 or 1.
    const view = new Value(bytes.shape, "uint8", nextOrder());
    view.storage = bytes.storage;
    return emit("Gather", [table, cast(view, "int32")], [bytes.size, table.shape[1]!], "float32", { axis: 0 });
  },
};

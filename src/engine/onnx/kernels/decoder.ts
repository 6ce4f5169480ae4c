import { constant, emit, emitAll, indices, reshape, type Value } from "../values.js";
import type { Kernels } from "./kernel.js";

/** The model room's own kernels: src/model/decoder/fused-kernels.ts. */
export const decoderKernels: Kernels = {
  KaisetsuRmsNorm: ({ x, weight }: { x: Value; weight: Value }, { eps }: { eps: number }) => {
    const attributes = { axis: -1, epsilon: { float: eps } };
    const shapes = [x.shape, [...x.shape.slice(0, -1), 1]];
    return emitAll("SimplifiedLayerNormalization", [x, weight], shapes, "float32", attributes);
  },
  KaisetsuRotate: ({ x, cos, sin }: { x: Value; cos: Value; sin: Value }) => {
    const half = cos.shape.at(-1)!;
    const positions = cos.size / half;
    const [batch, , seq] = x.shape as [number, number, number];
    // One table for all rows begins at position 0; else each token has a line of its own.
    const lines = cos.shape.length === 2 ? indices([0]) : constant([...Array(positions).keys()], [batch, seq], "int64");
    const tables = [cos, sin].map((table) => reshape(table, [positions, half]));
    return emit("RotaryEmbedding", [x, lines, ...tables], x.shape, "float32", undefined, "com.microsoft");
  },
};

import type { SessionSettings } from "../runtime.js";
import { constant, emit, emitAll, indices, reshape, type Value } from "../values.js";
import { binary, type Kernels, scalar, unary } from "./kernel.js";

/** The model room's own kernels: src/model/decoder/fused-kernels.ts. */
export const decoderKernels: Kernels = {
  KaisetsuRmsNorm: (
    { x, weight }: { x: Value; weight: Value },
    { eps }: { eps: number },
    settings?: SessionSettings,
  ) => {
    const attributes = { axis: -1, epsilon: { float: eps } };
    const shapes = [x.shape, [...x.shape.slice(0, -1), 1]];
    const [normed, factor] = emitAll("SimplifiedLayerNormalization", [x, weight], shapes, "float32", attributes);
    // ONNX Runtime's WebGPU kernel writes something else into the second result.
    return [normed!, settings?.device === "webgpu" ? inverseRms(x, eps) : factor!];
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

/** 1 / sqrt(mean(x²) + eps) over the last axis, which becomes 1. */
function inverseRms(x: Value, eps: number): Value {
  const squares = binary("Mul", x, x);
  const mean = emit("ReduceMean", [squares, indices([-1])], [...x.shape.slice(0, -1), 1], "float32", { keepdims: 1 });
  return unary("Reciprocal", unary("Sqrt", binary("Add", mean, scalar(eps))));
}

import type { Program } from "./program.js";
import { type GraphNode, type Value, WIDTH } from "./values.js";

export interface ProgramCost {
  /** Elements computed, and twice the multiplications of matrix products. */
  operations: number;
  /** Intermediate results alive at the same time, at most: what the session's working memory grows to. */
  peakBytes: number;
}

/** What one run of the program takes, by the recorded order of its nodes. */
export function programCost({ nodes, outputs, taken }: Program): ProgramCost {
  const readers = new Map<Value, number>();
  const count = (value: Value) => readers.set(value, (readers.get(value) ?? 0) + 1);
  for (const node of nodes) for (const input of node.inputs) count(taken(input));
  for (const output of outputs) count(output);

  let operations = 0;
  let alive = 0;
  let peakBytes = 0;
  for (const node of nodes) {
    operations += operationsOf(node);
    // A reshaped result lies where it lay.
    if (node.op !== "Reshape") for (const output of node.outputs) alive += bytesOf(output);
    peakBytes = Math.max(peakBytes, alive);
    for (const input of node.inputs) {
      const value = taken(input);
      const left = readers.get(value)! - 1;
      readers.set(value, left);
      if (left === 0 && value.node && value.node.op !== "Reshape" && node.op !== "Reshape") alive -= bytesOf(value);
    }
  }
  return { operations, peakBytes };
}

function operationsOf({ op, inputs, outputs, attributes }: GraphNode): number {
  const size = outputs.reduce((sum, { size }) => sum + size, 0);
  if (PRODUCTS.has(op)) return 2 * size * inputs[0]!.shape.at(attributes?.transA ? -2 : -1)!;
  // Each element of the one, or of the other, meets those of the filter that are its channel's.
  if (op === "Conv") return (2 * size * inputs[1]!.size) / inputs[1]!.shape[0]!;
  if (op === "ConvTranspose") return (2 * inputs[0]!.size * inputs[1]!.size) / inputs[1]!.shape[0]!;
  // Of a matrix product [m, k] x [k, n] this is m·k·n; batches count somewhat more than they are.
  if (op === "Einsum") return 2 * Math.sqrt(inputs.reduce((product, input) => product * input.size, size));
  return size;
}

export const PRODUCTS = new Set(["MatMul", "FusedMatMul", "MatMulBnb4"]);

function bytesOf({ size, type }: Value): number {
  return size * WIDTH[type];
}

import type { Program } from "./program.js";
import { hasBytes, type Value } from "./values.js";

/** With fewer rows a product only reads its matrix once, however that lies. */
const MIN_ROWS = 16;

/** A product with a frozen matrix: `x · W` or `x · Wᵀ`. */
const PRODUCTS = new Set(["MatMul", "FusedMatMul"]);

/**
 * The frozen matrices that a session had better keep to itself. ONNX Runtime lays out a matrix anew for each product, unless
 * it is a constant: then it does so once, and products are 15 to 25 % faster. It costs a copy of the matrix, so it is for
 * models whose matrices all fit into `maxBytes`; else there are none.
 *
 * @param isFrozen whether a value is the same in every run
 */
export function packedWeights(
  { nodes, taken }: Program,
  isFrozen: (value: Value) => boolean,
  maxBytes: number,
): { weights: ReadonlySet<Value>; bytes: number } {
  const weights = new Set<Value>();
  // One layout for W, another for Wᵀ.
  const layouts = new Map<string, number>();
  for (const node of nodes) {
    if (!PRODUCTS.has(node.op)) continue;
    const [a, b] = node.inputs.map(taken) as [Value, Value];
    const rows = node.attributes?.transA ? a.shape.at(-1)! : a.shape.at(-2)!;
    if (rows < MIN_ROWS || b.shape.length !== 2 || !b.storage || !hasBytes(b.storage) || !isFrozen(b)) continue;
    weights.add(b);
    layouts.set(`${b.label} ${node.attributes?.transB ?? 0}`, 4 * b.size);
  }
  const bytes = [...layouts.values()].reduce((sum, size) => sum + size, 0);
  return bytes <= maxBytes ? { weights, bytes } : { weights: new Set(), bytes: 0 };
}

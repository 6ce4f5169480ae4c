import type { NodeSpec } from "./protobuf.js";

/**
 * ONNX Runtime's product takes a factor along for nothing, where a multiplication of its own passes over the whole result.
 * Moves a multiplication by a number into the product before or behind it, when nobody else reads what lies between.
 *
 * @param nodes in the order of computation
 * @param numbers values of one-element constants by their names
 * @param outputs names that must still be computed
 */
export function scaledProducts(
  nodes: readonly NodeSpec[],
  numbers: ReadonlyMap<string, number>,
  outputs: ReadonlySet<string>,
): NodeSpec[] {
  const readers = new Map<string, NodeSpec[]>();
  for (const node of nodes) {
    for (const input of node.inputs) {
      const known = readers.get(input);
      if (known) known.push(node);
      else readers.set(input, [node]);
    }
  }
  const isPrivate = (name: string) => readers.get(name)?.length === 1 && !outputs.has(name);
  const makers = new Map<string, NodeSpec>();
  const result = new Map<NodeSpec, NodeSpec | undefined>();
  /** In whose place a product is computed that took the multiplication behind it along. */
  const movedTo = new Map<NodeSpec, NodeSpec>();
  const current = (node: NodeSpec) => (result.has(node) ? result.get(node) : node);

  for (const node of nodes) {
    for (const output of node.outputs) makers.set(output, node);
    const scaling = scaleOf(node, numbers);
    if (!scaling) continue;
    const maker = makers.get(scaling.of);
    const before = maker && current(maker);
    if (maker && before && isProduct(before) && isPrivate(scaling.of)) {
      result.set(maker, undefined);
      movedTo.set(maker, node);
      result.set(node, { ...scaledBy(before, scaling.factor), outputs: node.outputs });
    }
  }
  for (const node of nodes) {
    const scaling = current(node) === node ? scaleOf(node, numbers) : undefined;
    const output = node.outputs[0]!;
    const [reader] = readers.get(output) ?? [];
    const place = reader && (movedTo.get(reader) ?? reader);
    const behind = place && current(place);
    if (!scaling || !place || !behind || !isProduct(behind) || !isPrivate(output)) continue;
    const inputs = behind.inputs.map((name) => (name === output ? scaling.of : name));
    result.set(place, { ...scaledBy(behind, scaling.factor), inputs });
    result.set(node, undefined);
  }
  return nodes.map(current).filter((node) => node !== undefined);
}

function isProduct({ op }: NodeSpec): boolean {
  return op === "MatMul" || op === "FusedMatMul";
}

/** Whether the node multiplies by a number: by which, and what. */
function scaleOf({ op, inputs }: NodeSpec, numbers: ReadonlyMap<string, number>) {
  if (op !== "Mul") return undefined;
  const [a, b] = inputs as [string, string];
  if (numbers.has(b) && !numbers.has(a)) return { of: a, factor: numbers.get(b)! };
  if (numbers.has(a) && !numbers.has(b)) return { of: b, factor: numbers.get(a)! };
  return undefined;
}

function scaledBy(product: NodeSpec, factor: number): NodeSpec {
  const { alpha } = product.attributes ?? {};
  const before = typeof alpha === "object" && "float" in alpha ? alpha.float : 1;
  return {
    ...product,
    op: "FusedMatMul",
    domain: "com.microsoft",
    attributes: { transA: 0, transB: 0, ...product.attributes, alpha: { float: before * factor } },
  };
}

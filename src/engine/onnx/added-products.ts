import type { InitializerSpec, NodeSpec } from "./protobuf.js";
import { ONNX_TYPE } from "./values.js";

/** With a longer inner dimension, or fewer rows, a product of its own and an addition are as fast. */
const MAX_INNER = 64;
const MIN_ROWS = 64;

type Shape = readonly number[];

/**
 * Adds a narrow product, such as LoRA's, to what is there already: computed by itself it would be written, and read again
 * by the addition, which takes longer than the product. ONNX Runtime's only product that adds in place is a convolution
 * of one pixel with a summand: `x` `[1, k, n]` with kernels `[m, k, 1]` and the sum `[1, m, n]`.
 *
 * @param nodes in the order of computation
 * @param shapes of everything that is named
 * @param outputs names that must still be computed
 */
export function addedProducts(
  nodes: readonly NodeSpec[],
  shapes: ReadonlyMap<string, Shape>,
  outputs: ReadonlySet<string>,
): { nodes: NodeSpec[]; initializers: InitializerSpec[] } {
  const readers = new Map<string, number>();
  const makers = new Map<string, NodeSpec>();
  for (const node of nodes) {
    for (const input of node.inputs) readers.set(input, (readers.get(input) ?? 0) + 1);
    for (const output of node.outputs) makers.set(output, node);
  }
  const isPrivate = (name: string) => readers.get(name) === 1 && makers.has(name) && !outputs.has(name);
  // A reshaped result lies where it lay. Whoever else reads that would get the sum; ONNX Runtime copies it instead.
  const isOwn = (name: string): boolean => {
    const maker = makers.get(name);
    return isPrivate(name) && (maker?.op !== "Reshape" || isOwn(maker.inputs[0]!));
  };

  const replaced = new Map<NodeSpec, NodeSpec[]>();
  for (const node of nodes) {
    if (node.op !== "Add") continue;
    const [left, right] = node.inputs as [string, string];
    for (const [sum, added] of [[left, right] as const, [right, left] as const]) {
      const product = makers.get(added);
      if (!product || !isPrivate(added) || !isOwn(sum) || !isNarrow(product, shapes)) continue;
      if (`${shapes.get(sum)}` !== `${shapes.get(added)}`) continue;
      replaced.set(product, []);
      replaced.set(node, addInPlace(product, sum, node.outputs[0]!));
      break;
    }
  }
  return {
    nodes: nodes.flatMap((node) => replaced.get(node) ?? [node]),
    initializers: replaced.size > 0 ? [axis(FIRST, 0), axis(THIRD, 2)] : [],
  };
}

function isNarrow({ op, inputs, attributes }: NodeSpec, shapes: ReadonlyMap<string, Shape>): boolean {
  if ((op !== "MatMul" && op !== "FusedMatMul") || attributes?.transA || attributes?.alpha !== undefined) return false;
  const [a, b] = inputs.map((name) => shapes.get(name)!) as [Shape, Shape];
  return a.length === 2 && b.length === 2 && a[0]! >= MIN_ROWS && a[1]! <= MAX_INNER;
}

const FIRST = "axis_0";
const THIRD = "axis_2";

function addInPlace({ inputs, attributes }: NodeSpec, sum: string, output: string): NodeSpec[] {
  const [a, b] = inputs as [string, string];
  const name = (part: string) => `${output}_${part}`;
  const turned = attributes?.transB ? name("turned") : b;
  const node = (op: string, inputs: string[], output: string, attributes?: NodeSpec["attributes"], domain = "") => ({
    op,
    domain,
    inputs,
    outputs: [output],
    attributes,
  });
  return [
    ...(attributes?.transB ? [node("Transpose", [b], turned, { perm: [1, 0] })] : []),
    node("Unsqueeze", [turned, FIRST], name("pixels")),
    node("Unsqueeze", [a, THIRD], name("kernels")),
    node("Unsqueeze", [sum, FIRST], name("sum")),
    node(
      "FusedConv",
      [name("pixels"), name("kernels"), "", name("sum")],
      name("added"),
      { kernel_shape: [1] },
      "com.microsoft",
    ),
    node("Squeeze", [name("added"), FIRST], output),
  ];
}

function axis(name: string, value: number): InitializerSpec {
  const data = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
  return { name, type: ONNX_TYPE.int64, shape: [1], data };
}

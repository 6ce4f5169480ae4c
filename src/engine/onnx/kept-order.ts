import type { NodeSpec } from "./protobuf.js";

/** Smaller results may wait. */
const LARGE_BYTES = 2 ** 18;

/** A few large results more are no harm. */
const SLACK = 8;

/** Each round finds what the one before has pushed back. */
const ROUNDS = 4;

/**
 * ONNX Runtime orders nodes by itself: it walks back from those that nobody reads and, among the inputs of a node, computes
 * the highest numbered first. Numbered in reverse, most of a graph is computed as recorded. But where two sums run over many
 * parts (a loss over chunks of the vocabulary, and its gradient), it computes one sum whole before it begins the other, and
 * what the second needs of every part lies there meanwhile.
 *
 * So nodes that would free a large result too late are held to their places: the shape of what they compute is an input of a
 * node that is computed before everything else and takes these shapes in the recorded order.
 *
 * @param nodes as recorded
 * @param bytes of results, by name
 * @returns the nodes in the order in which they must be numbered
 */
export function inKeptOrder(nodes: readonly NodeSpec[], bytes: ReadonlyMap<string, number>): NodeSpec[] {
  const frees = freeing(nodes, bytes);
  const held = new Set<NodeSpec>();
  for (let round = 0; round < ROUNDS; round++) {
    const late = lateNodes(frees, withAnchor(nodes, held));
    if (late.every((node) => held.has(node))) break;
    for (const node of late) held.add(node);
  }
  return withAnchor(nodes, held);
}

/** Nodes that are the last to read a large result, as recorded. */
function freeing(nodes: readonly NodeSpec[], bytes: ReadonlyMap<string, number>): NodeSpec[] {
  const lastReader = new Map<string, NodeSpec>();
  for (const node of nodes) {
    for (const input of node.inputs) if ((bytes.get(input) ?? 0) >= LARGE_BYTES) lastReader.set(input, node);
  }
  const readers = new Set(lastReader.values());
  return nodes.filter((node) => readers.has(node));
}

/** Which of `recorded` are computed after more than a few that come later in it. */
function lateNodes(recorded: readonly NodeSpec[], numbered: readonly NodeSpec[]): NodeSpec[] {
  const places = new Map(recorded.map((node, i) => [node, i]));
  // Sorted.
  const computed: number[] = [];
  return computationOrder(numbered).filter((node) => {
    const place = places.get(node);
    if (place === undefined) return false;
    let at = computed.length;
    while (at > 0 && computed[at - 1]! > place) at--;
    computed.splice(at, 0, place);
    return computed.length - 1 - at > SLACK;
  });
}

/** All nodes in reverse, and the one that holds some of them to their places with the highest number. */
function withAnchor(nodes: readonly NodeSpec[], held: ReadonlySet<NodeSpec>): NodeSpec[] {
  const numbered: NodeSpec[] = [];
  const shapes: string[] = [];
  for (const node of nodes) {
    numbered.push(node);
    if (!held.has(node)) continue;
    const shape = `shape_${node.outputs[0]}`;
    shapes.push(shape);
    numbered.push({ op: "Shape", domain: "", inputs: [node.outputs[0]!], outputs: [shape] });
  }
  numbered.reverse();
  if (shapes.length === 0) return numbered;
  return [...numbered, { op: "Concat", domain: "", inputs: shapes, outputs: ["order"], attributes: { axis: 0 } }];
}

/** The order in which ONNX Runtime computes (its `ReverseDFSFrom`). */
function computationOrder(numbered: readonly NodeSpec[]): NodeSpec[] {
  const makers = new Map<string, number>();
  for (const [i, node] of numbered.entries()) for (const output of node.outputs) makers.set(output, i);
  const before = numbered.map(({ inputs }) =>
    [...new Set(inputs.map((name) => makers.get(name)))].filter((i) => i !== undefined).sort((a, b) => a - b),
  );
  const read = new Set(before.flat());
  const stack = numbered.map((_, i) => i).filter((i) => !read.has(i));
  const entered = new Set<number>();
  const order: NodeSpec[] = [];
  for (let i = stack.pop(); i !== undefined; i = stack.pop()) {
    if (i < 0) order.push(numbered[-1 - i]!);
    else if (!entered.has(i)) {
      entered.add(i);
      // Met again when all that it needs has been computed.
      stack.push(-1 - i, ...before[i]!);
    }
  }
  return order;
}

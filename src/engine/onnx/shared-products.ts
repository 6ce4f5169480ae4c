import { totalmem } from "node:os";
import { PRODUCTS } from "./program-cost.js";
import { type GraphNode, type Storage, type Value, WIDTH } from "./values.js";

/** How much of the machine's memory may be taken by results that the backward pass then need not compute again. */
const KEPT_BYTES = totalmem() / 18;

/**
 * Gradient checkpointing computes a layer twice. Among what the second time would compute again, matrix products cost
 * nearly everything and leave little: they are taken over from the first time, while the many large results between them
 * are computed anew (selective checkpointing, Korthikanti et al. 2022). Those with the longest inner dimension come
 * first, since they cost most per byte kept. They take no more than the weights do: who asks for checkpointing of a small
 * model with many tokens wants the memory.
 *
 * @param nodes in recorded order
 * @returns for each output that need not be computed, the equal one to take
 */
export function sharedProducts(
  nodes: readonly GraphNode[],
  keptBytes = Math.min(KEPT_BYTES, givenBytes(nodes)),
): Map<Value, Value> {
  const repeated = repeatedProducts(nodes).sort((a, b) => b.inner - a.inner);
  const shared = new Map<Value, Value>();
  let bytes = 0;
  for (const { first, again } of repeated) {
    bytes += 4 * first.size;
    if (bytes > keptBytes) break;
    shared.set(again, first);
  }
  return shared;
}

interface Repeated {
  first: Value;
  again: Value;
  /** Length of the products' sums. */
  inner: number;
}

/** Products whose inputs have, step by step, been computed from the same bytes by the same operations. */
function repeatedProducts(nodes: readonly GraphNode[]): Repeated[] {
  if (!readsMatrixAgain(nodes)) return [];
  const numbers = new Map<unknown, number>();
  const numberOf = (key: unknown) => {
    const known = numbers.get(key) ?? numbers.size;
    numbers.set(key, known);
    return known;
  };
  const computed = new Map<Value, number>();
  const firstOf = new Map<number, Value>();
  const repeated: Repeated[] = [];
  for (const node of nodes) {
    const inputs = node.inputs.map((value) => computed.get(value) ?? numberOf(given(value, numberOf)));
    const key = `${node.op} ${node.domain} ${JSON.stringify(node.attributes)} ${inputs}`;
    for (const [i, output] of node.outputs.entries()) {
      const number = numberOf(`${key} ${i}`);
      computed.set(output, number);
      const first = firstOf.get(number);
      if (!first) firstOf.set(number, output);
      else if (PRODUCTS.has(node.op)) repeated.push({ first, again: output, inner: innerLength(node) });
    }
  }
  return repeated;
}

/** Whether two products read the same given matrix in the same way, as they do where a layer is computed twice. */
function readsMatrixAgain(nodes: readonly GraphNode[]): boolean {
  const readings = new Map<Storage, Set<string>>();
  for (const { op, inputs, attributes } of nodes) {
    const matrix = inputs[1];
    if (!PRODUCTS.has(op) || !matrix?.storage) continue;
    const reading = `${op} ${attributes?.transA} ${attributes?.transB} ${matrix.shape} ${matrix.offset}`;
    const known = readings.get(matrix.storage);
    if (known?.has(reading)) return true;
    if (known) known.add(reading);
    else readings.set(matrix.storage, new Set([reading]));
  }
  return false;
}

/** Of all that the nodes read and do not compute. */
function givenBytes(nodes: readonly GraphNode[]): number {
  const inputs = new Set(nodes.flatMap(({ inputs }) => inputs.filter((value) => value.storage)));
  const parts = new Map([...inputs].map((value) => [value.storage, 0]));
  for (const { storage, offset, size, type } of inputs) {
    parts.set(storage, Math.max(parts.get(storage)!, (offset + size) * WIDTH[type]));
  }
  return [...parts.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Bytes that exist are the same when they lie in the same place and are seen in the same shape. */
function given(value: Value, numberOf: (key: unknown) => number): string {
  const { literal } = value.storage!;
  return literal ?? `${numberOf(value.storage)} ${value.type} ${value.shape} ${value.offset}`;
}

function innerLength({ inputs, attributes }: GraphNode): number {
  const [a] = inputs;
  return a!.shape.at(attributes?.transA ? -2 : -1)!;
}

import { addedProducts } from "./added-products.js";
import type { BufferPart, SessionModel } from "./device-core.js";
import { inKeptOrder } from "./kept-order.js";
import { PRODUCTS, programCost } from "./program-cost.js";
import { encodeModel, type GraphSpec, type InitializerSpec, type NodeSpec, type TensorSpec } from "./protobuf.js";
import { type SessionSettings, sessionOptions } from "./runtime.js";
import { scaledProducts } from "./scaled-products.js";
import { sharedProducts } from "./shared-products.js";
import { type GraphNode, type HostArray, nextOrder, ONNX_TYPE, type Value, WIDTH } from "./values.js";

/** The pending graph that computes some values, with everything named. */
export interface Program {
  /** In the order in which they were recorded. */
  nodes: GraphNode[];
  /** Values whose bytes the session reads, in the order of its inputs. */
  feeds: Value[];
  literals: Value[];
  outputs: readonly Value[];
  /** The value that is computed in the place of the given one. */
  taken: (value: Value) => Value;
}

/**
 * Finds and names the nodes that `outputs` (pending values) need.
 * @param share whether the products that gradient checkpointing repeats may be taken over from the first time
 */
export function program(outputs: readonly Value[], { share = false } = {}): Program {
  const recorded = reachable(outputs);
  const shared = share ? sharedProducts(recorded) : new Map<Value, Value>();
  // Every output of a graph has a name of its own.
  for (const output of outputs) shared.delete(output);
  const taken = (value: Value) => shared.get(value) ?? value;
  const mark = nextOrder();
  const nodes = shared.size > 0 ? reachable(outputs, mark, taken) : recorded;
  const feeds: Value[] = [];
  const literals: Value[] = [];
  const literalLabels = new Map<string, string>();
  let named = 0;

  const giveName = (asked: Value): void => {
    const value = taken(asked);
    if (value.mark === mark) return;
    value.mark = mark;
    const storage = value.storage;
    if (!storage) throw new Error(`onnx: a value of shape [${value.shape}] has neither bytes nor a pending node`);
    if (storage.literal !== undefined) {
      const known = literalLabels.get(storage.literal);
      value.label = known ?? `c${literals.length}`;
      if (known === undefined) {
        literalLabels.set(storage.literal, value.label);
        literals.push(value);
      }
    } else {
      value.label = `i${feeds.length}`;
      feeds.push(value);
    }
  };

  for (const node of nodes) {
    for (const input of node.inputs) giveName(input);
    for (const output of node.outputs) {
      output.mark = mark;
      output.label = `t${named++}`;
    }
  }
  return { nodes, feeds, literals, outputs, taken };
}

/** Equal for graphs that one session can compute. */
export function programKey({ nodes, feeds, literals, outputs, taken }: Program): string {
  const key: string[] = [];
  for (const { label, storage } of literals) key.push(label, storage!.literal!);
  for (const { label, type, shape } of feeds) key.push(label, type, shape.join());
  for (const node of nodes) {
    key.push(node.op, node.domain);
    if (node.attributes) key.push(JSON.stringify(node.attributes));
    for (const input of node.inputs) key.push(taken(input).label);
    key.push("=", node.outputs.length.toString());
  }
  for (const output of outputs) key.push(">", output.label);
  return key.join(" ");
}

/** A few hundred microseconds on one core. */
const SMALL_OPERATIONS = 1e6;

/**
 * A session before its nodes have been numbered and its graph written as ONNX's protobuf. For a deep model each of the
 * three takes as long as the event loop should be held up.
 */
export interface SessionPlan extends Omit<SessionModel, "model"> {
  /** Nodes as recorded. */
  graph: GraphSpec;
  /** Bytes of what they compute, by name. */
  bytes: ReadonlyMap<string, number>;
}

export interface NumberedPlan extends Omit<SessionModel, "model"> {
  graph: GraphSpec;
}

export function numbered({ graph, bytes, ...rest }: SessionPlan): NumberedPlan {
  return { graph: { ...graph, nodes: inKeptOrder(graph.nodes, bytes) }, ...rest };
}

export function sessionModel({ graph, ...rest }: NumberedPlan): SessionModel {
  return { model: encodeModel(graph), ...rest };
}

/**
 * The ONNX graph of a program. Values carry the names that a program gave them only until the next one.
 * @param weights matrices that become part of the session, and where the device has them
 */
export function sessionPlan(
  graph: Program,
  settings: SessionSettings,
  weights: ReadonlyMap<Value, BufferPart> = new Map(),
): SessionPlan {
  const { nodes, feeds, literals, outputs, taken } = graph;
  const read = new Set(feeds.map(({ storage }) => storage));
  // Threads cost more than they give in a small graph, above all where other programs run too.
  const threads = programCost(graph).operations < SMALL_OPERATIONS ? 1 : settings.threads;
  const names = new Set(outputs.map(({ label }) => label));
  const scaled = scaledProducts(
    nodes.map((node) => nodeSpec(node, taken, weights)),
    new Map(literals.flatMap((value) => numberIn(value))),
    names,
  );
  const specs =
    settings.device === "cpu"
      ? addedProducts(scaled, shapesOf(graph, weights.keys()), names)
      : { nodes: scaled, initializers: [] };
  const proto: GraphSpec = {
    nodes: specs.nodes,
    inputs: feeds.map(tensorSpec),
    outputs: outputs.map(tensorSpec),
    initializers: [
      ...literals.map(initializerSpec),
      ...specs.initializers,
      ...[...weights.keys()].map((value) => ({ ...tensorSpec(value), name: weightName(value) })),
    ],
  };
  return {
    graph: proto,
    bytes: resultBytes(nodes),
    inputs: feeds.map((value) => ({ name: value.label, type: value.type, shape: value.shape })),
    constants: [...weights].map(([value, data]) => ({
      name: weightName(value),
      data,
      parted: !read.has(value.storage),
    })),
    outputs: outputs.map((value) => value.label),
    options: sessionOptions({ ...settings, threads }),
  };
}

/** The inputs that somebody reads when `weights` are part of the session. */
export function remainingFeeds({ nodes, feeds, outputs, taken }: Program, weights: ReadonlySet<Value>): Value[] {
  const read = new Set<Value>(outputs);
  for (const node of nodes) {
    for (const [at, input] of node.inputs.entries()) if (!readsPacked(node, at)) read.add(taken(input));
  }
  return feeds.filter((value) => !weights.has(value) || read.has(value));
}

function readsPacked({ op }: GraphNode, at: number): boolean {
  return at === 1 && PRODUCTS.has(op);
}

/** The nodes that `outputs` need, in the order in which they were recorded. `mark`: a new number for each traversal. */
export function reachable(outputs: readonly Value[], mark = nextOrder(), taken = (value: Value) => value): GraphNode[] {
  const nodes: GraphNode[] = [];
  const visit = (asked: Value) => {
    const value = taken(asked);
    if (!value.node || value.node.mark === mark) return;
    value.node.mark = mark;
    nodes.push(value.node);
  };
  for (const output of outputs) visit(output);
  for (let i = 0; i < nodes.length; i++) {
    for (const input of nodes[i]!.inputs) visit(input);
  }
  return nodes.sort((a, b) => a.order - b.order);
}

function nodeSpec(node: GraphNode, taken: Program["taken"], weights: ReadonlyMap<Value, unknown>): NodeSpec {
  // Other readers of such a matrix get it as an input: the session forgets the bytes as they were.
  const nameOf = (value: Value, at: number) =>
    readsPacked(node, at) && weights.has(value) ? weightName(value) : value.label;
  return {
    op: node.op,
    domain: node.domain,
    inputs: node.inputs.map((value, at) => nameOf(taken(value), at)),
    outputs: node.outputs.map((value) => value.label),
    attributes: node.attributes,
  };
}

function resultBytes(nodes: readonly GraphNode[]): Map<string, number> {
  return new Map(nodes.flatMap(({ outputs }) => outputs.map(({ label, size, type }) => [label, size * WIDTH[type]])));
}

function shapesOf({ nodes, feeds, literals }: Program, weights: Iterable<Value>): Map<string, readonly number[]> {
  const values = [...nodes.flatMap(({ outputs }) => outputs), ...feeds, ...literals];
  return new Map([
    ...values.map(({ label, shape }) => [label, shape] as const),
    ...[...weights].map((value) => [weightName(value), value.shape] as const),
  ]);
}

/** The name and value of a constant that is one number without axes. */
function numberIn({ label, shape, storage }: Value): [string, number][] {
  return shape.length === 0 ? [[label, Number(storage!.host![0])]] : [];
}

function weightName({ label }: Value): string {
  return `packed_${label}`;
}

function tensorSpec({ label, type, shape }: Value): TensorSpec {
  return { name: label, type: ONNX_TYPE[type], shape };
}

function initializerSpec(value: Value): InitializerSpec {
  const { buffer, byteOffset, byteLength } = value.storage!.host as HostArray;
  return { ...tensorSpec(value), data: new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength) };
}

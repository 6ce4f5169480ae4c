import { largeBuffer } from "../../data/large-buffer.js";
import type { Attribute } from "./protobuf.js";

/**
 * Element types that graphs use; tensors have the first three, the rest only appear between nodes. A float32 tensor may be
 * kept in 16 bits (kernels/narrow.ts).
 */
export type ElementType = "float32" | "int32" | "bool" | "int64" | "uint8" | "uint16" | NarrowType;
/** Floats of 16 bits. */
export type NarrowType = "float16" | "bfloat16";
export type HostArray = Float32Array | Int32Array | Uint8Array | Uint16Array | BigInt64Array;

/** onnx.TensorProto.DataType */
export const ONNX_TYPE: Record<ElementType, number> = {
  float32: 1,
  uint8: 2,
  uint16: 4,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
};

/** Bytes of one element. */
export const WIDTH: Record<ElementType, number> = {
  float32: 4,
  uint8: 1,
  uint16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
  float16: 2,
  bfloat16: 2,
};

/**
 * Bytes that exist: on this thread, on the device, or both. Several values may show the same bytes in different shapes.
 */
export class Storage {
  host: HostArray | undefined;
  /** Buffer id on the device; 0 = not there. */
  device = 0;
  /** Tensors that show these bytes. 0 with `uses` > 0: disposed, but pending work still needs them. */
  holders = 0;
  /** Values in use that show these bytes. */
  uses = 0;
  /** Contents as text, for constants that are written into the graph; undefined: an input of the graph. */
  literal: string | undefined;

  constructor(host?: HostArray) {
    this.host = host;
  }
}

/** One operation of the pending graph. */
export class GraphNode {
  readonly outputs: Value[] = [];
  /** Outputs in use; with the last one gone the node will never run. */
  uses = 0;
  /** Which traversal saw it last. */
  mark = 0;

  constructor(
    readonly op: string,
    readonly domain: string,
    readonly inputs: readonly Value[],
    readonly attributes: Readonly<Record<string, Attribute>> | undefined,
    readonly order: number,
  ) {}
}

/** A tensor's contents: either the output of a pending node, or bytes that exist. */
export class Value {
  readonly size: number;
  node: GraphNode | undefined;
  storage: Storage | undefined;
  /** Tensors that show this value. */
  holders = 0;
  /** Tensors, pending nodes and plans that need this value. */
  uses = 0;
  /** Which traversal named it last, and the name. */
  mark = 0;
  label = "";

  /** @param offset where in `storage` the value begins, in elements */
  constructor(
    readonly shape: readonly number[],
    readonly type: ElementType,
    readonly order: number,
    readonly offset = 0,
  ) {
    this.size = sizeOf(shape);
  }
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

let counter = 0;

/** Numbers nodes and values in the order of their creation: an input always precedes the node that reads it. */
export function nextOrder(): number {
  return ++counter;
}

/** How many nodes have been recorded since the last call of `forgetRecorded`. */
let recorded = 0;
export function recordedNodes(): number {
  return recorded;
}
export function forgetRecorded(): void {
  recorded = 0;
}

/** Records a node with one output. */
export function emit(
  op: string,
  inputs: readonly Value[],
  shape: readonly number[],
  type: ElementType,
  attributes?: Readonly<Record<string, Attribute>>,
  domain = "",
): Value {
  return emitAll(op, inputs, [shape], type, attributes, domain)[0]!;
}

/** Records a node with several outputs of one type. An output without elements needs no node. */
export function emitAll(
  op: string,
  inputs: readonly Value[],
  shapes: readonly (readonly number[])[],
  types: ElementType | readonly ElementType[],
  attributes?: Readonly<Record<string, Attribute>>,
  domain = "",
): Value[] {
  const typeOf = (i: number) => (typeof types === "string" ? types : types[i]!);
  if (shapes.every((shape) => sizeOf(shape) === 0)) return shapes.map((shape, i) => hostValue(shape, typeOf(i)));
  const node = new GraphNode(op, domain, inputs, attributes, nextOrder());
  recorded++;
  for (const input of inputs) retain(input);
  for (const [i, shape] of shapes.entries()) {
    const value = new Value(shape, typeOf(i), nextOrder());
    value.node = node;
    node.outputs.push(value);
  }
  return node.outputs;
}

/** A value whose bytes are on this thread; zeros when no data is given. */
export function hostValue(shape: readonly number[], type: ElementType, data?: HostArray): Value {
  const value = new Value(shape, type, nextOrder());
  value.storage = new Storage(data ?? arrayOf(type, value.size));
  return value;
}

/** A small constant that is written into the graph. */
export function constant(values: readonly number[], shape: readonly number[], type: ElementType): Value {
  const data = arrayOf(type, values.length);
  for (let i = 0; i < values.length; i++) data[i] = type === "int64" ? BigInt(values[i]!) : values[i]!;
  return literalValue(data, shape, type);
}

export function literalValue(data: HostArray, shape: readonly number[], type: ElementType): Value {
  const value = hostValue(shape, type, data);
  value.storage!.literal = `${type}[${shape}]${data}`;
  return value;
}

/** An int64 vector, as ONNX wants its axes, shapes and split sizes. */
export function indices(values: readonly number[]): Value {
  return constant(values, [values.length], "int64");
}

/** The same bytes in another shape: a second view when they exist, a node while they are pending. */
export function reshape(value: Value, shape: readonly number[]): Value {
  if (sameShape(value.shape, shape)) return value;
  if (value.storage) {
    const { literal, host } = value.storage;
    if (literal !== undefined && host) return literalValue(host, shape, value.type);
    return view(value, shape, value.offset);
  }
  const source = value.node?.op === "Reshape" ? value.node.inputs[0]! : value;
  if (sameShape(source.shape, shape)) return source;
  return emit("Reshape", [source, indices(shape)], shape, value.type, { allowzero: 1 });
}

/** Whether there are bytes to look at, and they are not part of the graph. A stand-in for an input has none. */
export function hasBytes({ host, device, literal }: Storage): boolean {
  return literal === undefined && (host !== undefined || device > 0);
}

/** Some of a value's bytes, without a copy: they must exist. */
export function view(value: Value, shape: readonly number[], offset: number): Value {
  const part = new Value(shape, value.type, nextOrder(), offset);
  part.storage = value.storage;
  return part;
}

/** The same bytes as elements of another type; they must exist. `offset` and `shape` count those elements. */
export function reinterpret(value: Value, type: ElementType, shape: readonly number[], offset: number): Value {
  if (!value.storage) throw new Error(`onnx: bytes that are to be read as ${type} must be given, not computed`);
  const part = new Value(shape, type, nextOrder(), offset);
  part.storage = value.storage;
  return part;
}

export function retain(value: Value): void {
  if (value.uses++ > 0) return;
  if (value.node) value.node.uses++;
  if (value.storage) value.storage.uses++;
}

/** Undoes `retain`; nodes that nobody will read vanish with all that only they needed. `free` gets storage out of use. */
export function release(value: Value, free: (storage: Storage) => void): void {
  const stack = [value];
  for (let current = stack.pop(); current; current = stack.pop()) {
    if (--current.uses > 0) continue;
    if (current.storage && --current.storage.uses === 0) free(current.storage);
    if (current.node && --current.node.uses === 0) {
      stack.push(...current.node.inputs);
      for (const output of current.node.outputs) output.node = undefined;
    }
  }
}

export function arrayOf(type: ElementType, length: number): HostArray {
  switch (type) {
    case "float32":
      return new Float32Array(largeBuffer(4 * length), 0, length);
    case "int32":
      return new Int32Array(largeBuffer(4 * length), 0, length);
    case "int64":
      return new BigInt64Array(length);
    case "uint16":
    case "float16":
    case "bfloat16":
      return new Uint16Array(length);
    default:
      return new Uint8Array(largeBuffer(length), 0, length);
  }
}

/**
 * The part of ONNX's protobuf that a graph of tensors needs (onnx/onnx.proto3, IR version 9), written directly.
 * Field numbers stand beside each call.
 */

export type Attribute = number | string | readonly number[] | { float: number };

export interface NodeSpec {
  op: string;
  /** "" is ONNX's own operator set. */
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes?: Readonly<Record<string, Attribute>> | undefined;
}

export interface TensorSpec {
  name: string;
  type: number;
  shape: readonly number[];
}

export interface InitializerSpec extends TensorSpec {
  /** Absent: the bytes are given beside the model, under the initializer's name. */
  data?: Uint8Array;
}

export interface GraphSpec {
  nodes: NodeSpec[];
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  initializers: InitializerSpec[];
}

const IR_VERSION = 9;
/** Of ONNX's own operators. Execution providers lag behind the newest, so only graphs that need it ask for it. */
const OPSET = 20;
const OPSET_WITH_BITCAST = 26;

/** A serialised ModelProto. */
export function encodeModel(graph: GraphSpec): Uint8Array {
  const model = new Writer();
  model.int(1, IR_VERSION);
  const version = graph.nodes.some(({ op }) => op === "BitCast") ? OPSET_WITH_BITCAST : OPSET;
  const opsets = [
    { domain: "", version },
    { domain: "com.microsoft", version: 1 },
  ];
  for (const { domain, version } of opsets) {
    model.message(8, (opset) => {
      opset.string(1, domain);
      opset.int(2, version);
    });
  }
  model.message(7, (proto) => writeGraph(proto, graph));
  return model.bytes();
}

function writeGraph(writer: Writer, graph: GraphSpec): void {
  for (const node of graph.nodes) writer.message(1, (proto) => writeNode(proto, node));
  writer.string(2, "kaisetsu");
  for (const { name, type, shape, data } of graph.initializers) {
    writer.message(5, (proto) => {
      proto.ints(1, shape);
      proto.int(2, type);
      proto.string(8, name);
      if (data) proto.raw(9, data);
      else writeElsewhere(proto, name);
    });
  }
  for (const input of graph.inputs) writer.message(11, (proto) => writeValueInfo(proto, input));
  for (const output of graph.outputs) writer.message(12, (proto) => writeValueInfo(proto, output));
}

/** TensorProto.DataLocation EXTERNAL, whole and from its beginning. */
function writeElsewhere(writer: Writer, location: string): void {
  writer.message(13, (entry) => {
    entry.string(1, "location");
    entry.string(2, location);
  });
  writer.int(14, 1);
}

function writeNode(writer: Writer, node: NodeSpec): void {
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output);
  writer.string(4, node.op);
  for (const [name, value] of Object.entries(node.attributes ?? {})) {
    writer.message(5, (proto) => writeAttribute(proto, name, value));
  }
  if (node.domain) writer.string(7, node.domain);
}

function writeAttribute(writer: Writer, name: string, value: Attribute): void {
  writer.string(1, name);
  if (typeof value === "number") {
    writer.int(3, value);
    writer.int(20, 2);
  } else if (typeof value === "string") {
    writer.string(4, value);
    writer.int(20, 3);
  } else if ("float" in value) {
    writer.float(2, value.float);
    writer.int(20, 1);
  } else {
    writer.ints(8, value);
    writer.int(20, 7);
  }
}

function writeValueInfo(writer: Writer, { name, type, shape }: TensorSpec): void {
  writer.string(1, name);
  writer.message(2, (typeProto) => {
    typeProto.message(1, (tensor) => {
      tensor.int(1, type);
      tensor.message(2, (dims) => {
        for (const size of shape) dims.message(1, (dim) => dim.int(1, size));
      });
    });
  });
}

/** Enough for 256 MB in one message; weights are graph inputs, so a model is a few hundred kilobytes. */
const LENGTH_BYTES = 4;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Protocol-buffer wire format. Nested messages leave a gap of `LENGTH_BYTES` for their length, filled in when they end. */
class Writer {
  private buffer = new Uint8Array(1 << 16);
  private length = 0;

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  int(field: number, value: number): void {
    this.varint(field * 8);
    this.varint(value);
  }

  float(field: number, value: number): void {
    this.varint(field * 8 + FIXED32);
    this.reserve(4);
    new DataView(this.buffer.buffer).setFloat32(this.length, value, true);
    this.length += 4;
  }

  string(field: number, value: string): void {
    this.varint(field * 8 + LENGTH_DELIMITED);
    this.varint(value.length);
    this.reserve(value.length);
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) throw new Error(`onnx: the name "${value}" is not ASCII`);
      this.buffer[this.length++] = code;
    }
  }

  raw(field: number, value: Uint8Array): void {
    this.varint(field * 8 + LENGTH_DELIMITED);
    this.varint(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  ints(field: number, values: readonly number[]): void {
    for (const value of values) this.int(field, value);
  }

  message(field: number, write: (writer: Writer) => void): void {
    this.varint(field * 8 + LENGTH_DELIMITED);
    this.reserve(LENGTH_BYTES);
    const start = this.length;
    this.length += LENGTH_BYTES;
    write(this);
    let size = this.length - start - LENGTH_BYTES;
    // A varint may be padded: every byte but the last has its high bit set.
    for (let i = 0; i < LENGTH_BYTES; i++) {
      this.buffer[start + i] = (size & 0x7f) | (i < LENGTH_BYTES - 1 ? 0x80 : 0);
      size >>>= 7;
    }
  }

  private varint(value: number): void {
    this.reserve(10);
    // Two's complement in 64 bits; a negative number is rare and takes all ten bytes.
    let rest = value < 0 ? BigInt.asUintN(64, BigInt(value)) : value;
    while (rest > 0x7f) {
      const low = typeof rest === "bigint" ? Number(rest & 0x7fn) : rest % 0x80;
      this.buffer[this.length++] = low | 0x80;
      rest = typeof rest === "bigint" ? rest >> 7n : Math.floor(rest / 0x80);
    }
    this.buffer[this.length++] = Number(rest);
  }

  private reserve(count: number): void {
    if (this.length + count <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.length + count));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }
}

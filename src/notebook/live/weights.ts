/**
 * Weights small enough for a page: matrices in 4 bits (NF4, blocks of 64), embeddings in 8 bits (one scale a row), the
 * rest as it is. A notebook that loads its model with `load_in_4bit` and "nf4" gets the very codes that the original
 * file gives; embeddings, and matrices loaded without it, are rounded.
 */
import { floatToBfloat, floatToHalf, halfToFloat } from "../../model/dtype.js";
import { dequantize4bit, quantize4bit } from "../../model/four-bit/four-bit.js";
import { packArchive, unpackArchive } from "./archive.js";

/** Added to the name of a file that holds packed weights. */
const SUFFIX = "#4bit";

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [begin: number, end: number];
}

/** @param source a whole `.safetensors` file @returns the name and content to put in an archive */
export function packWeights(path: string, source: Uint8Array): [string, Uint8Array] {
  // A Buffer's `slice` would share the memory, and typed arrays of other widths need its beginning.
  const file = new Uint8Array(source);
  const { tensors, dataStart } = readHeader(file);
  const parts = new Map([["header", file.slice(0, dataStart)]]);
  for (const [name, tensor] of tensors) {
    const [begin, end] = tensor.data_offsets;
    const bytes = file.slice(dataStart + begin, dataStart + end);
    if (!isMatrix(tensor)) parts.set(`=${name}`, bytes);
    else if (isEmbedding(name)) pack8(name, tensor, bytes, parts);
    else pack4(name, tensor, bytes, parts);
  }
  return [path + SUFFIX, packArchive(parts)];
}

/** What `packWeights` packed, as a `.safetensors` file of the original's size and types; other files as they are. */
export function unpackFile(path: string, data: Uint8Array<ArrayBuffer>): [string, Uint8Array] {
  if (!path.endsWith(SUFFIX)) return [path, data];
  const parts = unpackArchive(data);
  const header = parts.get("header")!;
  const { tensors } = readHeader(header);
  const size = Math.max(0, ...[...tensors.values()].map(({ data_offsets: [, end] }) => end));
  const file = new Uint8Array(header.length + size);
  file.set(header);
  for (const [name, tensor] of tensors) {
    const bytes = parts.get(`=${name}`) ?? encode(unpackTensor(name, tensor, parts), tensor.dtype);
    file.set(bytes, header.length + tensor.data_offsets[0]);
  }
  return [path.slice(0, -SUFFIX.length), file];
}

function readHeader(file: Uint8Array): { tensors: Map<string, Tensor>; dataStart: number } {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<string, Tensor>;
  return {
    tensors: new Map(Object.entries(header).filter(([name]) => name !== "__metadata__")),
    dataStart: 8 + length,
  };
}

function isMatrix({ dtype, shape }: Tensor): boolean {
  return ["F32", "F16", "BF16"].includes(dtype) && shape.length === 2 && shape[0]! * shape[1]! >= 4096;
}

function isEmbedding(name: string): boolean {
  return /embed|lm_head/.test(name);
}

function pack4(name: string, { dtype, shape }: Tensor, bytes: Uint8Array, parts: Map<string, Uint8Array>): void {
  const { packed, scales } = quantize4bit(decode(bytes, dtype), shape, { type: "nf4", double: false });
  parts.set(`4${name}`, packed);
  // Each scale is one of the weights, so their own type holds it exactly.
  if ("absmax" in scales) parts.set(`s${name}`, encode(scales.absmax, dtype));
}

function pack8(name: string, { dtype, shape }: Tensor, bytes: Uint8Array, parts: Map<string, Uint8Array>): void {
  const values = decode(bytes, dtype);
  const [rows, columns] = shape as [number, number];
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const of = values.subarray(row * columns, (row + 1) * columns);
    scales[row] = of.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    for (let i = 0; i < columns; i++) codes[row * columns + i] = Math.round(of[i]! / (scales[row]! || 1));
  }
  parts.set(`8${name}`, new Uint8Array(codes.buffer));
  parts.set(`s${name}`, new Uint8Array(scales.buffer));
}

function unpackTensor(
  name: string,
  { dtype, shape }: Tensor,
  parts: Map<string, Uint8Array<ArrayBuffer>>,
): Float32Array {
  const scaleBytes = parts.get(`s${name}`)!;
  const packed = parts.get(`4${name}`);
  if (packed) return dequantize4bit({ type: "nf4", shape, packed, scales: { absmax: decode(scaleBytes, dtype) } });
  const codes = new Int8Array(parts.get(`8${name}`)!.slice().buffer);
  const scales = decode(scaleBytes, "F32");
  return Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / shape[1]!)]!);
}

function decode(bytes: Uint8Array, dtype: string): Float32Array {
  const { buffer } = bytes.slice();
  if (dtype === "F32") return new Float32Array(buffer);
  const bits = new Uint16Array(buffer);
  if (dtype === "F16") return Float32Array.from(bits, halfToFloat);
  return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
}

function encode(values: Float32Array, dtype: string): Uint8Array {
  if (dtype === "F32") return new Uint8Array(values.slice().buffer);
  return new Uint8Array(Uint16Array.from(values, dtype === "F16" ? floatToHalf : floatToBfloat).buffer);
}

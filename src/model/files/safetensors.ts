import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { largeBuffer } from "../../data/large-buffer.js";
import { type FloatDtype, floatToBfloat, floatToHalf, halfToFloat } from "../dtype.js";
import { SafetensorsError } from "../errors.js";
import { parseHeader, type StoredDtype, type TensorEntry } from "./safetensors-header.js";

export type { StoredDtype, TensorEntry } from "./safetensors-header.js";

/** A tensor on the host. Every float type arrives as float32, I64 as int32 where it fits. */
export interface HostTensor {
  dtype: StoredDtype;
  shape: number[];
  values: Float32Array | Int32Array | Uint8Array;
}

/** Decoding goes through a buffer of this size, so that a large tensor is never twice in memory. */
const PIECE = 1 << 24;

/**
 * An open `.safetensors` file. The header is validated strictly (no holes, overlaps, trailing bytes or duplicate names);
 * tensors are read one at a time, on demand. Close it when done.
 */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    readonly metadata: Record<string, string>,
    readonly tensors: ReadonlyMap<string, TensorEntry>,
    private readonly handle: FileHandle,
    private readonly dataStart: number,
  ) {}

  /** @throws SafetensorsError when the file does not follow the format */
  static async open(path: string): Promise<SafetensorsFile> {
    const handle = await open(path, "r");
    try {
      const { size } = await handle.stat();
      if (size < 8) throw new SafetensorsError(path, `it has ${size} bytes, fewer than the 8 of the header length`);
      const prefix = Buffer.alloc(8);
      await readFully(handle, prefix, 0);
      const length = prefix.readBigUInt64LE();
      if (length > 100_000_000n) throw new SafetensorsError(path, `its header claims ${length} bytes (limit 100 MB)`);
      if (8n + length > BigInt(size)) {
        throw new SafetensorsError(path, `its header claims ${length} bytes but the file has only ${size}`);
      }
      const header = Buffer.alloc(Number(length));
      await readFully(handle, header, 8);
      const dataStart = 8 + header.length;
      const { metadata, tensors } = parseHeader(path, header, size - dataStart);
      return new SafetensorsFile(path, metadata, tensors, handle, dataStart);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** @throws SafetensorsError when there is no tensor of that name */
  async read(name: string): Promise<HostTensor> {
    const entry = this.tensors.get(name);
    if (!entry) throw new SafetensorsError(this.path, `it holds no tensor named ${name}`);
    const elements = entry.shape.reduce((a, b) => a * b, 1);
    const start = this.dataStart + entry.begin;
    const { dtype, shape } = entry;
    if (dtype === "F32") return { dtype, shape, values: await this.raw(floats(elements), start) };
    if (dtype === "I32") return { dtype, shape, values: await this.raw(integers(elements), start) };
    if (dtype === "U8" || dtype === "BOOL")
      return { dtype, shape, values: await this.raw(new Uint8Array(largeBuffer(elements), 0, elements), start) };
    const decoder = DECODERS[dtype];
    if (!decoder) throw new SafetensorsError(this.path, `${name} has dtype ${dtype}, which is not supported here`);
    const values = decoder.integer ? integers(elements) : floats(elements);
    const piece = Buffer.alloc(Math.min(PIECE, elements * decoder.bytes));
    for (let done = 0; done < elements; ) {
      const count = Math.min(piece.length / decoder.bytes, elements - done);
      const bytes = piece.subarray(0, count * decoder.bytes);
      await readFully(this.handle, bytes, start + done * decoder.bytes);
      decoder.decode(bytes, values, done);
      done += count;
    }
    return { dtype, shape, values };
  }

  /**
   * The bits of a tensor of F16 or BF16, as they are stored.
   * @throws SafetensorsError when there is no tensor of that name, or it is of another type
   */
  async readBits(name: string): Promise<Uint16Array> {
    const entry = this.tensors.get(name);
    if (entry?.dtype !== "F16" && entry?.dtype !== "BF16") {
      throw new SafetensorsError(this.path, `it holds no F16 or BF16 tensor named ${name}`);
    }
    return this.raw(new Uint16Array((entry.end - entry.begin) / 2), this.dataStart + entry.begin);
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private async raw<T extends Float32Array | Int32Array | Uint8Array | Uint16Array>(
    values: T,
    start: number,
  ): Promise<T> {
    await readFully(this.handle, Buffer.from(values.buffer, values.byteOffset, values.byteLength), start);
    return values;
  }
}

/** Reads every tensor of a file. */
export async function readSafetensors(path: string): Promise<Map<string, HostTensor>> {
  const file = await SafetensorsFile.open(path);
  try {
    const tensors = new Map<string, HostTensor>();
    for (const name of file.tensors.keys()) tensors.set(name, await file.read(name));
    return tensors;
  } finally {
    await file.close();
  }
}

/** A tensor to write. `values` may be a function, called when its turn comes, so that only one tensor is in memory. */
export interface TensorToWrite {
  dtype: StoredDtype;
  shape: number[];
  values: HostTensor["values"] | (() => Promise<HostTensor["values"]> | HostTensor["values"]);
}

export const STORED_DTYPES: Record<FloatDtype, StoredDtype> = { float32: "F32", float16: "F16", bfloat16: "BF16" };

/**
 * Writes a `.safetensors` file, byte for byte as the reference implementation does: larger types first, then by name.
 * The file appears under its name only when it is whole, and on the disk unless `flush` is false.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorToWrite>,
  metadata: Record<string, string> = { format: "pt" },
  { flush = true }: { flush?: boolean } = {},
): Promise<void> {
  const order = [...tensors].sort(
    ([nameA, a], [nameB, b]) => RANK[b.dtype]! - RANK[a.dtype]! || (nameA < nameB ? -1 : nameA > nameB ? 1 : 0),
  );
  const header: Record<string, unknown> = Object.keys(metadata).length ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const [name, { dtype, shape }] of order) {
    const end = offset + shape.reduce((a, b) => a * b, 1) * WIDTH[dtype]!;
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, " ");
  json.copy(padded);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(padded.length));

  const partial = `${path}.${process.pid}.partial`;
  try {
    const stream = createWriteStream(partial, { flush });
    const done = finished(stream);
    // A disk error rejects `done` while a piece is still being encoded; it is awaited below.
    done.catch(() => {});
    const put = async (bytes: Uint8Array) => {
      if (stream.errored) throw stream.errored;
      if (!stream.write(bytes)) await Promise.race([once(stream, "drain"), done]);
    };
    await put(prefix);
    await put(padded);
    for (const [name, tensor] of order) {
      const values = typeof tensor.values === "function" ? await tensor.values() : tensor.values;
      const elements = tensor.shape.reduce((a, b) => a * b, 1);
      if (values.length !== elements) {
        throw new SafetensorsError(path, `${name}: ${values.length} values for shape [${tensor.shape}]`);
      }
      for (let from = 0; from < elements; from += PIECE) {
        await put(encode(values.subarray(from, Math.min(from + PIECE, elements)), tensor.dtype));
      }
    }
    stream.end();
    await done;
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

const floats = (length: number) => new Float32Array(largeBuffer(4 * length), 0, length);
const integers = (length: number) => new Int32Array(largeBuffer(4 * length), 0, length);

async function readFully(handle: FileHandle, target: Buffer, position: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await handle.read(target, done, Math.min(target.length - done, 1 << 30), position + done);
    if (bytesRead === 0) throw new Error(`unexpected end of file at byte ${position + done}`);
    done += bytesRead;
  }
}

interface Decoder {
  bytes: number;
  integer: boolean;
  decode(bytes: Buffer, into: Float32Array | Int32Array, at: number): void;
}

const half = (convert: (bits: number) => number): Decoder => ({
  bytes: 2,
  integer: false,
  decode(bytes, into, at) {
    for (let i = 0; i < bytes.length / 2; i++) into[at + i] = convert(bytes.readUInt16LE(2 * i));
  },
});

/** bfloat16 is the upper half of a float32. */
const bfloat: Decoder = {
  bytes: 2,
  integer: false,
  decode(bytes, into, at) {
    const upper = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    const bits = new Uint32Array(into.buffer, into.byteOffset + 4 * at, upper.length);
    for (let i = 0; i < upper.length; i++) bits[i] = upper[i]! << 16;
  },
};

const DECODERS: Partial<Record<StoredDtype, Decoder>> = {
  F16: half(halfToFloat),
  BF16: bfloat,
  F64: {
    bytes: 8,
    integer: false,
    decode(bytes, into, at) {
      for (let i = 0; i < bytes.length / 8; i++) into[at + i] = bytes.readDoubleLE(8 * i);
    },
  },
  I64: {
    bytes: 8,
    integer: true,
    decode(bytes, into, at) {
      for (let i = 0; i < bytes.length / 8; i++) {
        const value = bytes.readBigInt64LE(8 * i);
        if (BigInt.asIntN(32, value) !== value) throw new RangeError(`the I64 value ${value} does not fit int32`);
        into[at + i] = Number(value);
      }
    },
  },
};

/** The order of the reference writer, and the bytes of one element. */
const ORDER: [StoredDtype, number][] = [
  ["BOOL", 1],
  ["U8", 1],
  ["I8", 1],
  ["F8_E5M2", 1],
  ["F8_E4M3", 1],
  ["I16", 2],
  ["U16", 2],
  ["F16", 2],
  ["BF16", 2],
  ["I32", 4],
  ["U32", 4],
  ["F32", 4],
  ["F64", 8],
  ["I64", 8],
  ["U64", 8],
];
const RANK: Partial<Record<StoredDtype, number>> = Object.fromEntries(ORDER.map(([dtype], rank) => [dtype, rank]));
const WIDTH: Partial<Record<StoredDtype, number>> = Object.fromEntries(ORDER);

function encode(values: HostTensor["values"], dtype: StoredDtype): Uint8Array {
  if (dtype === "F16" || dtype === "BF16") {
    const convert = dtype === "F16" ? floatToHalf : floatToBfloat;
    const bits = new Uint16Array(values.length);
    for (let i = 0; i < values.length; i++) bits[i] = convert(values[i]!);
    return new Uint8Array(bits.buffer);
  }
  const view = (typed: ArrayBufferView) => new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
  if (dtype === "F32") return view(values instanceof Float32Array ? values : new Float32Array(values));
  if (dtype === "I32") return view(values instanceof Int32Array ? values : new Int32Array(values));
  if (dtype === "U8" || dtype === "BOOL") return view(values instanceof Uint8Array ? values : new Uint8Array(values));
  if (dtype === "I64") return view(BigInt64Array.from(values, BigInt));
  throw new TypeError(`writing ${dtype} tensors is not supported`);
}

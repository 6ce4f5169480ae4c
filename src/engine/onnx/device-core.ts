import { freeLargeBuffer } from "../../data/large-buffer.js";
import type { OrtRuntime, OrtSession, OrtTensor, OrtType, SessionOptions } from "./runtime.js";
import { arrayOf, type ElementType, type HostArray } from "./values.js";
import type { WeightFiles, WeightToStore } from "./weight-files.js";

/** A buffer on the device, or `length` elements of it. */
export interface BufferPart {
  buffer: number;
  offset: number;
  length: number;
}

/** What a session reads: something on the device, or data sent along. */
export type Feed = BufferPart | HostArray;

export interface SessionInput {
  name: string;
  type: ElementType;
  shape: readonly number[];
}

/** A weight that is part of a session; the model names it without its bytes. */
export interface SessionConstant {
  name: string;
  data: BufferPart;
  /** The session reads it as a constant only: once it is loaded, the bytes may leave the memory. */
  parted: boolean;
}

export interface SessionModel {
  model: Uint8Array;
  inputs: SessionInput[];
  constants: SessionConstant[];
  /** Names of the outputs. */
  outputs: string[];
  /** ONNX Runtime's session options. */
  options: SessionOptions;
}

interface LoadedSession {
  session: OrtSession;
  inputs: SessionInput[];
  outputs: string[];
}

export interface DeviceUsage {
  buffers: number;
  bytes: number;
  sessions: number;
}

interface Buffer {
  /** Undefined: it lies in `file` alone, as `length` float32 numbers. */
  data: HostArray | undefined;
  length: number;
  /** Keys of files with all or parts of it. */
  files?: Set<string>;
  /** What sessions read of it: most buffers are always read in one shape and as one type. */
  views?: Map<string, OrtTensor>;
}

/** Buffers and sessions of ONNX Runtime, by the caller's numbers. Runs where it is called; see device.ts for the thread. */
export class DeviceCore {
  private readonly buffers = new Map<number, Buffer | Error>();
  private readonly sessions = new Map<number, LoadedSession | Error>();

  constructor(
    private readonly runtime: OrtRuntime,
    private readonly weightFiles: WeightFiles,
  ) {}

  upload(id: number, data: HostArray): void {
    this.buffers.set(id, { data, length: data.length });
  }

  free(ids: readonly number[]): void {
    for (const id of ids) {
      const buffer = this.buffers.get(id);
      this.buffers.delete(id);
      if (buffer && !(buffer instanceof Error)) for (const key of buffer.files ?? []) this.weightFiles.delete(key);
    }
  }

  /** A failure is kept and thrown by the first run. */
  load(id: number, spec: SessionModel): void {
    try {
      const fromFiles = (folder: string) => {
        this.partFrom(spec);
        return this.session(spec, folder);
      };
      const session = this.weightFiles.with(this.weights(spec), fromFiles) ?? this.session(spec);
      this.sessions.set(id, { session, inputs: spec.inputs, outputs: spec.outputs });
    } catch (error) {
      this.sessions.set(id, error as Error);
    }
  }

  unload(id: number): void {
    const loaded = this.sessions.get(id);
    this.sessions.delete(id);
    if (loaded && !(loaded instanceof Error)) loaded.session.dispose();
  }

  /** Fills the buffers `outputs`. When that fails they hold the error, which every later reader gets. */
  run(id: number, feeds: readonly Feed[], outputs: readonly number[]): Error | undefined {
    try {
      const results = this.compute(id, feeds);
      for (const [i, output] of outputs.entries()) this.upload(output, results[i]!);
      return undefined;
    } catch (error) {
      for (const output of outputs) this.buffers.set(output, error as Error);
      return error as Error;
    }
  }

  /** The bytes themselves, not a copy. */
  read(part: BufferPart): HostArray {
    return this.part(part);
  }

  /** All of a buffer. */
  readWhole(id: number): HostArray {
    return this.dataOf(id);
  }

  usage(): DeviceUsage {
    let bytes = 0;
    for (const buffer of this.buffers.values()) if (!(buffer instanceof Error)) bytes += buffer.data?.byteLength ?? 0;
    return { buffers: this.buffers.size, bytes, sessions: this.sessions.size };
  }

  /** @param folder has a file for each constant; without it they are given in memory */
  private session({ model, constants, options }: SessionModel, folder?: string): OrtSession {
    const session = new this.runtime.Session();
    const { extra } = options;
    const given = folder
      ? { extra: { session: { ...extra.session, model_external_initializers_file_folder_path: folder } } }
      : { externalData: constants.map(({ name, data }) => ({ path: name, data: bytesOf(this.part(data)) })) };
    session.loadModel(model.buffer, model.byteOffset, model.byteLength, { ...options, ...given });
    return session;
  }

  private weights({ constants }: SessionModel): WeightToStore[] {
    return constants.map(({ name, data }) => {
      const key = keyOf(data);
      return { name, key, size: 4 * data.length, bytes: () => bytesOf(this.part(data)) };
    });
  }

  /** What has been written to a file goes from memory, until somebody asks for it. */
  private partFrom({ constants }: SessionModel): void {
    for (const { data, parted } of constants) {
      const key = keyOf(data);
      if (!this.weightFiles.has(key)) continue;
      const buffer = this.buffer(data.buffer);
      buffer.files ??= new Set();
      buffer.files.add(key);
      if (!parted || data.length !== buffer.length || !buffer.data) continue;
      freeLargeBuffer(buffer.data.buffer);
      buffer.data = undefined;
      delete buffer.views;
    }
  }

  private compute(id: number, feeds: readonly Feed[]): HostArray[] {
    const loaded = this.sessions.get(id);
    if (!loaded) throw new Error(`onnx device: there is no session ${id}`);
    if (loaded instanceof Error) throw loaded;
    const tensors: Record<string, OrtTensor> = {};
    for (const [i, input] of loaded.inputs.entries()) tensors[input.name] = this.view(feeds[i]!, input);
    const fetches: Record<string, null> = {};
    for (const name of loaded.outputs) fetches[name] = null;
    const results = loaded.session.run(tensors, fetches, {});
    return loaded.outputs.map((name) => results[name]!.data as unknown as HostArray);
  }

  private view(feed: Feed, { type, shape }: SessionInput): OrtTensor {
    if (ArrayBuffer.isView(feed)) return new this.runtime.Tensor(type as OrtType, feed, shape);
    const buffer = this.buffer(feed.buffer);
    const key = `${type}[${shape}]${feed.offset}`;
    buffer.views ??= new Map();
    const known = buffer.views.get(key);
    if (known) return known;
    const tensor = new this.runtime.Tensor(type as OrtType, this.part(feed, type), shape);
    buffer.views.set(key, tensor);
    return tensor;
  }

  private part({ buffer, offset, length }: BufferPart, type?: ElementType): HostArray {
    const data = this.dataOf(buffer);
    // Two bytes as one number.
    if (type === "uint16" && data instanceof Uint8Array) return new Uint16Array(data.buffer, 2 * offset, length);
    return data.length === length ? data : data.subarray(offset, offset + length);
  }

  private dataOf(id: number): HostArray {
    const buffer = this.buffer(id);
    if (!buffer.data) {
      const data = arrayOf("float32", buffer.length);
      this.weightFiles.read(keyOf({ buffer: id, offset: 0, length: buffer.length }), bytesOf(data));
      buffer.data = data;
    }
    return buffer.data;
  }

  private buffer(id: number): Buffer {
    const buffer = this.buffers.get(id);
    if (!buffer) throw new Error(`onnx device: there is no buffer ${id}`);
    if (buffer instanceof Error) throw buffer;
    return buffer;
  }
}

function keyOf({ buffer, offset, length }: BufferPart): string {
  return `${buffer}-${offset}-${length}`;
}

function bytesOf({ buffer, byteOffset, byteLength }: HostArray): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

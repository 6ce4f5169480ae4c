import type { OrtRuntime, OrtSession, OrtTensor, OrtType } from "./runtime.js";
import type { ElementType, HostArray } from "./values.js";

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
}

export interface SessionModel {
  model: Uint8Array;
  inputs: SessionInput[];
  constants: SessionConstant[];
  /** Names of the outputs. */
  outputs: string[];
  /** ONNX Runtime's session options. */
  options: object;
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
  data: HostArray;
  /** What sessions read of it: most buffers are always read in one shape and as one type. */
  views?: Map<string, OrtTensor>;
}

/** Buffers and sessions of ONNX Runtime, by the caller's numbers. Runs where it is called; see device.ts for the thread. */
export class DeviceCore {
  private readonly buffers = new Map<number, Buffer | Error>();
  private readonly sessions = new Map<number, LoadedSession | Error>();

  constructor(private readonly runtime: OrtRuntime) {}

  upload(id: number, data: HostArray): void {
    this.buffers.set(id, { data });
  }

  free(ids: readonly number[]): void {
    for (const id of ids) this.buffers.delete(id);
  }

  /** A failure is kept and thrown by the first run. */
  load(id: number, spec: SessionModel): void {
    try {
      const session = new this.runtime.Session();
      const { buffer, byteOffset, byteLength } = spec.model;
      const externalData = spec.constants.map(({ name, data }) => ({ path: name, data: bytesOf(this.part(data)) }));
      session.loadModel(buffer, byteOffset, byteLength, { ...spec.options, externalData });
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
      for (const [i, output] of outputs.entries()) this.buffers.set(output, { data: results[i]! });
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
    return this.buffer(id).data;
  }

  usage(): DeviceUsage {
    let bytes = 0;
    for (const buffer of this.buffers.values()) if (!(buffer instanceof Error)) bytes += buffer.data.byteLength;
    return { buffers: this.buffers.size, bytes, sessions: this.sessions.size };
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
    const { data } = this.buffer(buffer);
    // Two bytes as one number.
    if (type === "uint16" && data instanceof Uint8Array) return new Uint16Array(data.buffer, 2 * offset, length);
    return data.length === length ? data : data.subarray(offset, offset + length);
  }

  private buffer(id: number): Buffer {
    const buffer = this.buffers.get(id);
    if (!buffer) throw new Error(`onnx device: there is no buffer ${id}`);
    if (buffer instanceof Error) throw buffer;
    return buffer;
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: HostArray): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

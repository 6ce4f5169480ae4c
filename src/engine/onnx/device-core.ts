import type { OrtRuntime, OrtSession, OrtTensor } from "./runtime.js";
import type { ElementType, HostArray } from "./values.js";

/** What a session reads: a buffer on the device by id, or data sent along. */
export type Feed = number | HostArray;

export interface SessionInput {
  name: string;
  type: ElementType;
  shape: readonly number[];
}

export interface SessionModel {
  model: Uint8Array;
  inputs: SessionInput[];
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
  /** The last view that a session read: most buffers are always read in one shape and as one type. */
  tensor?: OrtTensor;
  shape?: string;
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
      session.loadModel(buffer, byteOffset, byteLength, spec.options);
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

  read(id: number): HostArray {
    const buffer = this.buffers.get(id);
    if (!buffer) throw new Error(`onnx device: there is no buffer ${id}`);
    if (buffer instanceof Error) throw buffer;
    return buffer.data;
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
    if (typeof feed !== "number") return new this.runtime.Tensor(type, feed, shape);
    const buffer = this.buffers.get(feed);
    if (!buffer) throw new Error(`onnx device: there is no buffer ${feed}`);
    if (buffer instanceof Error) throw buffer;
    const key = `${type}[${shape}]`;
    if (buffer.shape !== key) {
      buffer.tensor = new this.runtime.Tensor(type, buffer.data, shape);
      buffer.shape = key;
    }
    return buffer.tensor!;
  }
}

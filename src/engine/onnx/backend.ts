import * as tf from "@tensorflow/tfjs";
import { BoundedCache } from "./bounded-cache.js";
import { Device, INLINE_BYTES, type RunResult } from "./device.js";
import type { BufferPart, Feed } from "./device-core.js";
import { Entries, type Entry } from "./entries.js";
import { fill } from "./kernels/kernel.js";
import { isNarrow, widened } from "./kernels/narrow.js";
import { numbered, type Program, program, programKey, sessionModel, sessionPlan } from "./program.js";
import { programCost } from "./program-cost.js";
import { defaultSettings, type SessionSettings } from "./runtime.js";
import {
  arrayOf,
  type ElementType,
  forgetRecorded,
  type HostArray,
  hostValue,
  literalValue,
  nextOrder,
  recordedNodes,
  release,
  reshape,
  retain,
  Storage,
  sameShape,
  Value,
} from "./values.js";

interface CachedSession {
  id: number;
  /** Its working memory. */
  bytes: number;
}

/** What `jit` hears of while it traces a step. */
export interface TraceListener {
  /** A tensor that the step makes from numbers, too large to be written into the graph. */
  onConstant(storage: Storage): void;
  /** A read on this thread, which a replay would not repeat. */
  onRead(value: Value): void;
  onInput(kernelName: string, tensor: tf.TensorInfo, storage: Storage | undefined): void;
  /** A kernel that only the cpu backend has. */
  onBorrowed(kernelName: string): void;
}

/** A program that never reads anything must not record for ever. */
const MAX_PENDING_NODES = 50_000;

/**
 * A TensorFlow.js backend that records instead of computing: each kernel appends a node to a pending graph, and reading a
 * tensor has ONNX Runtime compute, in one session, everything that tensors now need.
 */
export class OnnxBackend extends tf.KernelBackend {
  settings: SessionSettings = defaultSettings;
  disposed = false;
  /** Set while `jit` traces. */
  trace: TraceListener | undefined;
  private readonly entries = new Entries(this);
  /** Values of tensors that no session has computed yet. */
  private readonly pending = new Set<Value>();
  /** Sessions of graphs that were recorded, not traced by `jit`. */
  private readonly sessions = new BoundedCache<CachedSession>(({ id }) => this.device.unload(id));
  private readonly freeStorage = (storage: Storage) => {
    if (storage.device) this.device.free(storage.device);
    storage.device = 0;
  };

  /** @throws OnnxRuntimeError when the native library cannot be loaded here */
  static async start(): Promise<OnnxBackend> {
    return new OnnxBackend(await Device.start());
  }

  private constructor(readonly device: Device) {
    super();
  }

  /** For sessions made from now on. Tensors stay. */
  configure(settings: Partial<SessionSettings>): void {
    this.settings = { ...defaultSettings, ...settings };
    this.sessions.clear();
  }

  // --- tensors

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    return this.entries.add(this.keep(values, shape, dtype));
  }

  override move(
    dataId: tf.DataId,
    values: tf.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    this.entries.set(dataId, { ...this.keep(values, shape, dtype), refCount });
  }

  private keep(values: tf.BackendValues, shape: number[], dtype: tf.DataType): Pick<Entry, "value" | "foreign"> {
    if (dtype === "string" || dtype === "complex64") {
      return { value: undefined, foreign: cpuBackend().makeTensorInfo(shape, dtype, values) };
    }
    const value = this.store(values as ArrayLike<number>, shape, dtype);
    this.hold(value);
    return { value, foreign: undefined };
  }

  /** A data id for what a kernel returned. */
  tensorInfo(value: Value): tf.TensorInfo {
    this.hold(value);
    return {
      dataId: this.entries.add({ value, foreign: undefined }),
      shape: value.shape as number[],
      dtype: isNarrow(value) ? "float32" : (value.type as tf.DataType),
    };
  }

  foreignInfo(info: tf.TensorInfo): tf.TensorInfo {
    return { dataId: this.entries.add({ value: undefined, foreign: info }), shape: info.shape, dtype: info.dtype };
  }

  /** The value of one of this backend's tensors, or of another backend's, which is then moved here. */
  value(tensor: tf.TensorInfo): Value {
    return widened(this.kept(tensor));
  }

  /** As `value`, but floats that are kept in 16 bits come as such. */
  kept(tensor: tf.TensorInfo): Value {
    const { value } = this.entries.get(tensor.dataId);
    if (!value) throw new Error(`the onnx backend has no ${tensor.dtype} kernels`);
    return sameShape(value.shape, tensor.shape) ? value : reshape(value, tensor.shape);
  }

  /** From now on the tensor is kept in 32 bits. */
  widen({ dataId }: tf.TensorInfo): void {
    const entry = this.entries.get(dataId);
    const { value } = entry;
    if (!value || !isNarrow(value)) return;
    const wide = widened(value);
    this.hold(wide);
    entry.value = wide;
    this.letGo(value);
  }

  foreign(tensor: tf.TensorInfo): tf.TensorInfo | undefined {
    return this.entries.get(tensor.dataId).foreign;
  }

  /** Numbers given by the program: kept here while small, else sent to the device. */
  store(values: ArrayLike<number>, shape: readonly number[], type: ElementType): Value {
    const array = ownArray(values, type);
    const small = array.byteLength <= INLINE_BYTES;
    // What a traced step makes from plain numbers is part of its graph.
    if (small && this.trace) return literalValue(array, shape, type);
    // tf.zeros and tf.ones come as whole arrays; the graph can make them.
    if (!small && isUniform(array)) return fill(shape, Number(array[0]), type);
    const value = hostValue(shape, type, array);
    this.trace?.onConstant(value.storage!);
    if (!small) this.upload(value.storage!);
    return value;
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    if (!this.entries.has(dataId)) return true;
    const entry = this.entries.get(dataId);
    if (--entry.refCount > 0 && !force) return false;
    const { value, foreign } = entry;
    this.entries.delete(dataId);
    if (foreign) cpuBackend().disposeIntermediateTensorInfo(foreign);
    if (value) this.letGo(value);
    return true;
  }

  override refCount(dataId: tf.DataId): number {
    return this.entries.has(dataId) ? this.entries.get(dataId).refCount : 0;
  }

  override incRef(dataId: tf.DataId): void {
    this.entries.get(dataId).refCount++;
  }

  decRef(dataId: tf.DataId): void {
    if (this.entries.has(dataId)) this.entries.get(dataId).refCount--;
  }

  override numDataIds(): number {
    return this.entries.count;
  }

  // --- reading

  override async read(dataId: tf.DataId): Promise<tf.BackendValues> {
    const entry = this.entries.get(dataId);
    if (!entry.value) return cpuBackend().readSync(entry.foreign!.dataId);
    if (isNarrow(entry.value)) {
      const wide = this.tensorInfo(widened(entry.value));
      try {
        return await this.read(wide.dataId);
      } finally {
        this.disposeData(wide.dataId);
      }
    }
    return (this.onHost(entry.value) ?? (await this.device.read(devicePart(entry.value)))) as tf.BackendValues;
  }

  override readSync(dataId: tf.DataId): tf.BackendValues {
    const entry = this.entries.get(dataId);
    if (!entry.value) return cpuBackend().readSync(entry.foreign!.dataId);
    if (isNarrow(entry.value)) {
      const wide = this.tensorInfo(widened(entry.value));
      try {
        return this.readSync(wide.dataId);
      } finally {
        this.disposeData(wide.dataId);
      }
    }
    return (this.onHost(entry.value) ?? this.device.readSync(devicePart(entry.value))) as tf.BackendValues;
  }

  /** The value's bytes if they are on this thread, computed or under way in any case. */
  private onHost(value: Value): HostArray | undefined {
    this.trace?.onRead(value);
    if (!value.storage) this.flush();
    const { host } = value.storage!;
    return host && host.length !== value.size ? host.slice(value.offset, value.offset + value.size) : host;
  }

  // --- computing

  /** Starts computing every tensor that is pending. */
  flush(): void {
    const outputs = [...this.pending];
    if (outputs.length === 0) return;
    const graph = program(outputs);
    const session = this.sessions.get(programKey(graph), () => this.load(graph)).id;
    const buffers = this.device.run(
      session,
      graph.feeds.map((value) => this.feed(value)),
      outputs.length,
    );
    for (const [i, output] of outputs.entries()) arrive(output, buffers[i]!);
    this.pending.clear();
    for (const node of graph.nodes) for (const output of node.outputs) output.node = undefined;
    for (const node of graph.nodes) for (const input of node.inputs) this.release(input);
    forgetRecorded();
  }

  private load(graph: Program): CachedSession {
    return {
      id: this.device.load(sessionModel(numbered(sessionPlan(graph, this.settings)))),
      bytes: programCost(graph).peakBytes,
    };
  }

  /** Called before each kernel. */
  beforeKernel(): void {
    if (!this.trace && recordedNodes() > MAX_PENDING_NODES) this.flush();
  }

  /** What a session has computed. */
  resultValue({ buffer, host }: RunResult, shape: readonly number[], type: ElementType): Value {
    const value = new Value(shape, type, nextOrder());
    value.storage = new Storage(host);
    value.storage.device = buffer;
    return value;
  }

  /** A new tensor that shows an existing value. */
  viewTensor(value: Value, shape: readonly number[]): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.tensorInfo(reshape(value, shape)), this);
  }

  /** After a trace nothing may be pending: it would need inputs that have no bytes. */
  abandonPending(complain: (shape: readonly number[]) => void): void {
    const left = [...this.pending];
    this.pending.clear();
    forgetRecorded();
    if (left[0]) complain(left[0].shape);
  }

  /** After a cut in the middle of a trace, which ran no `finally`: what it left pending can never be computed. */
  recoverFromCut(): void {
    if (!this.trace) return;
    this.trace = undefined;
    this.pending.clear();
    forgetRecorded();
  }

  /** What a session reads for a value whose bytes exist. */
  feed(value: Value): Feed {
    const storage = value.storage!;
    if (storage.host && storage.host.byteLength <= INLINE_BYTES) {
      return storage.host.subarray(value.offset, value.offset + value.size);
    }
    return this.onDevice(value);
  }

  /** Where the device has a value whose bytes exist. */
  onDevice(value: Value): BufferPart {
    if (!value.storage!.device) this.upload(value.storage!);
    return devicePart(value);
  }

  retain(value: Value): void {
    retain(value);
  }

  release(value: Value): void {
    release(value, this.freeStorage);
  }

  private upload(storage: Storage): void {
    storage.device = this.device.upload(storage.host!);
    storage.host = undefined;
  }

  private hold(value: Value): void {
    retain(value);
    value.holders++;
    if (value.storage) value.storage.holders++;
    else this.pending.add(value);
  }

  private letGo(value: Value): void {
    if (--value.holders === 0) this.pending.delete(value);
    if (value.storage) value.storage.holders--;
    this.release(value);
  }

  // --- what TensorFlow.js asks of a backend

  override memory(): { unreliable: boolean } {
    // Bytes live with the device; tensors are counted by TensorFlow.js itself.
    return { unreliable: true };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return true;
  }

  override async time(run: () => void): Promise<{ kernelMs: number }> {
    this.flush();
    const start = performance.now();
    run();
    this.flush();
    await this.device.usage();
    return { kernelMs: performance.now() - start };
  }

  override dispose(): void {
    this.disposed = true;
    this.sessions.clear();
    void this.device.dispose();
  }
}

function devicePart({ storage, offset, size }: Value): BufferPart {
  return { buffer: storage!.device, offset, length: size };
}

/** A pending value has been computed, or will be by the time the device is asked for it. */
function arrive(value: Value, buffer: number): void {
  value.storage = new Storage();
  value.storage.device = buffer;
  value.storage.holders = value.holders;
  value.storage.uses = 1;
}

export interface CpuBackend extends tf.KernelBackend {
  makeTensorInfo(shape: number[], dtype: tf.DataType, values?: tf.BackendValues): tf.TensorInfo;
  disposeIntermediateTensorInfo(info: tf.TensorInfo): void;
}

/** TensorFlow.js's own backend in JavaScript, for what has no kernel here. */
export function cpuBackend(): CpuBackend {
  return tf.findBackend("cpu") as unknown as CpuBackend;
}

function isUniform(array: HostArray): boolean {
  const [first] = array;
  for (let i = 1; i < array.length; i++) if (array[i] !== first) return false;
  return true;
}

/** An array of our own: uploading detaches it, and a view would carry its whole buffer along. */
function ownArray(values: ArrayLike<number>, type: ElementType): HostArray {
  const array = arrayOf(type, values.length);
  (array as Float32Array).set(values);
  return array;
}

import { once } from "node:events";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { hasDied } from "../thread-number.js";
import type { BufferPart, DeviceUsage, Feed, SessionModel } from "./device-core.js";
import { beginEnd, endWithProcess, hasEnded, Word } from "./ending.js";
import type { HostArray } from "./values.js";
import { newWeightFolder, removeWeightFolder } from "./weight-files.js";

/** Up to this size numbers travel with the commands; larger ones lie on the device. */
export const INLINE_BYTES = 4096;

export type DeviceMessage =
  | { kind: "upload"; id: number; data: HostArray }
  | { kind: "free"; ids: number[] }
  | { kind: "load"; id: number; spec: SessionModel }
  | { kind: "unload"; id: number }
  | { kind: "run"; session: number; feeds: Feed[]; outputs: number[]; reply?: number }
  | { kind: "read"; part: BufferPart; reply?: number }
  | { kind: "usage"; reply: number }
  | { kind: "end" };

export interface DeviceReply {
  id?: number | undefined;
  data?: HostArray;
  /** After a run: its outputs, where they are small. */
  small?: (HostArray | undefined)[];
  usage?: DeviceUsage;
  error?: string;
}

export interface DeviceStart {
  /** Shared; see `Word`. */
  words: Int32Array;
  syncPort: MessagePort;
  /** For files of weights; made when there are any. */
  weightFolder: string;
}

/** ONNX Runtime refused a graph or failed while it ran. */
export class OnnxRuntimeError extends Error {
  override name = "OnnxRuntimeError";
}

export interface RunResult {
  buffer: number;
  host: HostArray | undefined;
}

/** How long to sleep before a look whether the thread is still there. */
const LOOK_AFTER_MS = 500;

function died(reason: string): OnnxRuntimeError {
  return new OnnxRuntimeError(
    `the thread of the onnx engine has died (${reason}), and with it every tensor there. Start the process or the ` +
      "notebook's kernel anew; where memory was short, with a smaller batch or gradient_checkpointing",
  );
}

/** What ONNX Runtime, C++ and V8 say when memory is short. */
const OUT_OF_MEMORY = /BFCArena|failed to allocate|bad_alloc|allocation failed/i;

function failed(message: string): OnnxRuntimeError {
  return new OnnxRuntimeError(
    OUT_OF_MEMORY.test(message)
      ? "the onnx engine has no memory left for this step: take a smaller per_device_train_batch_size or max_length, " +
          `gradient_checkpointing, or load the model in 4 bit (${message})`
      : message,
  );
}

interface Waiting {
  resolve(reply: DeviceReply): void;
  reject(error: Error): void;
}

/**
 * ONNX Runtime on a thread of its own, so that the event loop stays free while it computes.
 *
 * Weights and results stay with that thread; only what is read crosses over. Commands are sent without waiting and run in
 * order; a failure reaches whoever reads a result of it.
 */
export class Device {
  private readonly worker: Worker;
  private readonly words = new Int32Array(new SharedArrayBuffer(4 * Object.keys(Word).length));
  private readonly syncPort: MessagePort;
  private readonly weightFolder = newWeightFolder();
  private readonly removeWeights = () => removeWeightFolder(this.weightFolder);
  private readonly waiting = new Map<number, Waiting>();
  private freed: number[] = [];
  private lastId = 0;
  private stopped: Error | undefined;

  /** @throws OnnxRuntimeError when the thread cannot start or the native library cannot be loaded */
  static async start(): Promise<Device> {
    const device = new Device();
    try {
      await device.ask((reply) => ({ kind: "usage", reply }));
    } catch (error) {
      void device.worker.terminate();
      throw error;
    }
    return device;
  }

  private constructor() {
    const { port1, port2 } = new MessageChannel();
    this.syncPort = port1;
    const start: DeviceStart = { words: this.words, syncPort: port2, weightFolder: this.weightFolder };
    this.worker = new Worker(new URL("./device-worker.js", import.meta.url), {
      workerData: start,
      transferList: [port2],
      // Flags of the main program, such as --input-type, would be applied to the worker's file.
      execArgv: [],
    });
    this.worker.on("message", (reply: DeviceReply) => this.settle(reply));
    this.worker.on("error", (error) => this.stop(died((error as Error).message)));
    this.worker.on("exit", (code) => {
      hasEnded(this.words);
      this.stop(died(`it ended with code ${code}`));
    });
    endWithProcess(this.words);
    process.once("exit", this.removeWeights);
    this.syncPort.unref();
  }

  /** Takes the array over: it is no longer usable here. */
  upload(data: HostArray): number {
    const id = ++this.lastId;
    this.send({ kind: "upload", id, data }, [data.buffer as ArrayBuffer]);
    return id;
  }

  free(id: number): void {
    // A step frees hundreds of buffers one by one; one message takes them all.
    if (this.freed.push(id) === 1) queueMicrotask(() => this.sendFreed());
  }

  load(spec: SessionModel): number {
    const id = ++this.lastId;
    this.send({ kind: "load", id, spec });
    return id;
  }

  unload(session: number): void {
    this.send({ kind: "unload", id: session });
  }

  /** Starts a run and returns the buffers that will hold its outputs. */
  run(session: number, feeds: Feed[], outputCount: number): number[] {
    const outputs = this.newIds(outputCount);
    this.send({ kind: "run", session, feeds, outputs });
    return outputs;
  }

  /** As `run`, but waits for its end; small outputs come along. */
  async runAsync(session: number, feeds: Feed[], outputCount: number): Promise<RunResult[]> {
    const outputs = this.newIds(outputCount);
    const { small } = await this.ask((reply) => ({ kind: "run", session, feeds, outputs, reply }));
    return outputs.map((buffer, i) => ({ buffer, host: small?.[i] }));
  }

  async read(part: BufferPart): Promise<HostArray> {
    const reply = await this.ask((number) => ({ kind: "read", part, reply: number }));
    return reply.data!;
  }

  /** Blocks this thread until the buffer has been computed. */
  readSync(part: BufferPart): HostArray {
    Atomics.store(this.words, Word.answered, 0);
    this.send({ kind: "read", part });
    return this.receiveSync().data!;
  }

  /** What lies there when everything asked so far has been done. */
  async usage(): Promise<DeviceUsage> {
    return (await this.ask((reply) => ({ kind: "usage", reply }))).usage!;
  }

  async dispose(): Promise<void> {
    if (this.stopped) return;
    this.stop(new OnnxRuntimeError("the onnx backend has been disposed"));
    const ended = once(this.worker, "exit");
    beginEnd(this.words);
    this.worker.postMessage({ kind: "end" } satisfies DeviceMessage);
    await ended;
    process.off("exit", this.removeWeights);
    this.removeWeights();
  }

  private receiveSync(): DeviceReply {
    while (Atomics.wait(this.words, Word.answered, 0, LOOK_AFTER_MS) === "timed-out") {
      if (!hasDied(this.words[Word.thread]!)) continue;
      this.stop(died("it ended while a result was waited for"));
      throw this.stopped;
    }
    const reply = receiveMessageOnPort(this.syncPort)?.message as DeviceReply | undefined;
    if (!reply) throw new OnnxRuntimeError("the onnx thread ended without an answer");
    if (reply.error !== undefined) throw failed(reply.error);
    return reply;
  }

  private ask(message: (reply: number) => DeviceMessage): Promise<DeviceReply> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.ref();
      this.send(message(id));
    });
  }

  private settle(reply: DeviceReply): void {
    const waiting = this.waiting.get(reply.id!);
    this.waiting.delete(reply.id!);
    // Idle, the thread must not keep the process alive.
    if (this.waiting.size === 0) this.worker.unref();
    if (reply.error !== undefined) waiting?.reject(failed(reply.error));
    else waiting?.resolve(reply);
  }

  private send(message: DeviceMessage, transfer: ArrayBuffer[] = []): void {
    if (this.stopped) throw this.stopped;
    this.sendFreed();
    this.worker.postMessage(message, transfer);
  }

  private sendFreed(): void {
    if (this.freed.length === 0 || this.stopped) return;
    const ids = this.freed;
    this.freed = [];
    this.worker.postMessage({ kind: "free", ids } satisfies DeviceMessage);
  }

  private stop(error: Error): void {
    this.stopped ??= error;
    for (const { reject } of this.waiting.values()) reject(this.stopped);
    this.waiting.clear();
  }

  private newIds(count: number): number[] {
    return Array.from({ length: count }, () => ++this.lastId);
  }
}

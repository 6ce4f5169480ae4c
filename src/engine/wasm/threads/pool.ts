import { Worker } from "node:worker_threads";
import { EngineError } from "../../errors.js";
import type { WasmMemory, WasmModule } from "../webassembly.js";
import { type Chunk, chunkLength, control, controlBytes, type Functions, maxChunks, takeChunks } from "./work.js";
import type { WorkerData } from "./worker.js";

/** A helper that has not answered for so long has died: its chunk will never be done. */
const patienceMs = 120_000;

/** Threads that help the calling one with large kernels in a shared heap. They end with the process. */
export class Pool {
  private readonly shared = new Int32Array(new SharedArrayBuffer(controlBytes));
  private list = 0;
  private closedUntil = 0;
  private pauseMs = 0;

  /** @param scratch one address for the calling thread and one for each helper */
  constructor(
    module: WasmModule,
    memory: WasmMemory,
    private readonly functions: Functions,
    private readonly scratch: number[],
  ) {
    for (const address of scratch.slice(1)) {
      const workerData: WorkerData = {
        module,
        memory,
        control: this.shared.buffer as unknown as SharedArrayBuffer,
        scratch: address,
      };
      // Without execArgv the helper would inherit --test or --eval.
      new Worker(new URL("./worker.js", import.meta.url), { workerData, execArgv: [] }).unref();
    }
  }

  get threads(): number {
    return this.scratch.length;
  }

  /**
   * Whether sharing pays just now. Where other programs want the processors too, a helper may lose its own in the middle of
   * a chunk, and everybody waits for it: then the calling thread works alone for a while, longer each time.
   */
  get open(): boolean {
    return performance.now() >= this.closedUntil;
  }

  /** Computes the chunks, in any order; returns when all are done. */
  run(chunks: readonly Chunk[]): void {
    for (let from = 0; from < chunks.length; from += maxChunks) this.runList(chunks.slice(from, from + maxChunks));
  }

  private runList(chunks: readonly Chunk[]): void {
    const { shared } = this;
    chunks.forEach((chunk, i) => {
      shared.set(chunk, control.chunks + chunkLength * i);
    });
    this.list = (this.list + 1) & 0x7fffffff;
    Atomics.store(shared, control.count, chunks.length);
    Atomics.store(shared, control.done, 0);
    Atomics.store(shared, control.next, (this.list & 0xffff) << 16);
    Atomics.store(shared, control.list, this.list);
    Atomics.notify(shared, control.list);
    const begin = performance.now();
    takeChunks(shared, this.list, this.functions, this.scratch[0]!);
    const own = performance.now();
    this.wait(chunks.length);
    const waited = performance.now() - own;
    if (waited <= 2 + (own - begin)) this.pauseMs /= 2;
    else {
      this.pauseMs = Math.min(Math.max(250, 2 * this.pauseMs), 60_000);
      this.closedUntil = own + waited + this.pauseMs;
    }
  }

  private wait(count: number): void {
    const { shared } = this;
    for (;;) {
      const done = Atomics.load(shared, control.done);
      if (done === count) return;
      if (Atomics.wait(shared, control.done, done, patienceMs) === "timed-out") {
        throw new EngineError("a thread of the wasm engine does not answer; use useEngine('wasm', { threads: 1 })");
      }
    }
  }
}

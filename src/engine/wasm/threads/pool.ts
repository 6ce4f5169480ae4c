import { Worker } from "node:worker_threads";
import { EngineError } from "../../errors.js";
import { hasDied } from "../../thread-number.js";
import type { WasmMemory, WasmModule } from "../webassembly.js";
import {
  type Chunk,
  chunkLength,
  compute,
  control,
  controlBytes,
  type Functions,
  maxChunks,
  type Taker,
  takeChunks,
} from "./work.js";
import type { WorkerData } from "./worker.js";

/** How long to sleep before a look whether the helpers are still there. */
const lookAfterMs = 1000;

/** Where the system does not tell which threads live: a helper that has not answered for so long has died. */
const patienceMs = 120_000;

/**
 * Threads that help the calling one with large kernels in a shared heap. They end with the process. A helper that cannot
 * start, or dies, is done without: the others do its work.
 */
export class Pool {
  private readonly shared = new Int32Array(new SharedArrayBuffer(controlBytes));
  private readonly self: Taker;
  private readonly helpers = new Set<Taker>();
  private readonly starts: Promise<void>[] = [];
  private warned = false;
  private list = 0;
  private closedUntil = 0;
  private pauseMs = 0;

  /** @param scratch one address for the calling thread and one for each helper */
  constructor(
    module: WasmModule,
    memory: WasmMemory,
    private readonly functions: Functions,
    scratch: number[],
  ) {
    const [self, ...helpers] = scratch.map((address, place): Taker => ({ place, scratch: address }));
    this.self = self!;
    for (const taker of helpers) this.starts.push(this.startHelper({ module, memory, taker }));
  }

  /** Resolves when each helper has started, or could not. */
  async started(): Promise<void> {
    await Promise.all(this.starts);
  }

  get threads(): number {
    return 1 + this.helpers.size;
  }

  /**
   * Whether sharing pays just now. Where other programs want the processors too, a helper may lose its own in the middle of
   * a chunk, and everybody waits for it: then the calling thread works alone for a while, longer each time.
   */
  get open(): boolean {
    return this.helpers.size > 0 && performance.now() >= this.closedUntil;
  }

  /** Computes the chunks, in any order; returns when all are done. */
  run(chunks: readonly Chunk[]): void {
    for (let from = 0; from < chunks.length; from += maxChunks) this.runList(chunks.slice(from, from + maxChunks));
  }

  private startHelper(data: Omit<WorkerData, "control">): Promise<void> {
    const { taker } = data;
    const workerData: WorkerData = { ...data, control: this.shared.buffer as unknown as SharedArrayBuffer };
    this.helpers.add(taker);
    return new Promise((resolve) => {
      const lose = (reason: string) => {
        this.lose(taker, reason);
        resolve();
      };
      try {
        // Without execArgv the helper would inherit --test or --eval.
        const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData, execArgv: [] });
        worker.once("online", () => {
          worker.unref();
          resolve();
        });
        // Without a listener the process would end with the helper.
        worker.on("error", (error) => lose((error as Error).message));
        worker.on("exit", (code) => lose(`it ended with code ${code}`));
      } catch (error) {
        lose((error as Error).message);
      }
    });
  }

  private lose(taker: Taker, reason: string): void {
    if (!this.helpers.delete(taker) || this.warned) return;
    this.warned = true;
    console.warn(`kaisetsu: the wasm engine goes on with fewer threads: one could not start, or died (${reason})`);
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
    takeChunks(shared, this.list, this.functions, this.self);
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
    const patience = performance.now() + patienceMs;
    for (;;) {
      const done = Atomics.load(shared, control.done);
      if (done >= count) return;
      if (Atomics.wait(shared, control.done, done, lookAfterMs) !== "timed-out") continue;
      const dead = [...this.helpers].filter(({ place }) => hasDied(shared[control.threadNumbers + place]!));
      for (const taker of dead) this.takeOver(taker);
      if (dead.length === 0 && performance.now() > patience) {
        throw new EngineError("a thread of the wasm engine does not answer; use useEngine('wasm', { threads: 1 })");
      }
    }
  }

  /** Computes what a dead helper had begun: each chunk writes all of its result, whatever is there already. */
  private takeOver(dead: Taker): void {
    const { shared } = this;
    this.lose(dead, "it ended in the middle of its work");
    const claim = Atomics.exchange(shared, control.claims + dead.place, 0);
    if (claim === 0) return;
    compute(shared, claim - 1, this.functions, this.self.scratch);
    Atomics.add(shared, control.done, 1);
  }
}

import { workerData } from "node:worker_threads";
import { threadNumber } from "../../thread-number.js";
import { type WasmMemory, type WasmModule, WebAssembly } from "../webassembly.js";
import { control, type Functions, type Taker, takeChunks } from "./work.js";

/** What a helping thread is given. */
export interface WorkerData {
  module: WasmModule;
  memory: WasmMemory;
  control: SharedArrayBuffer;
  taker: Taker;
}

const data = workerData as WorkerData;
const { exports } = new WebAssembly.Instance(data.module, { env: { memory: data.memory } });
const shared = new Int32Array(data.control);

Atomics.store(shared, control.threadNumbers + data.taker.place, threadNumber());
for (let seen = 0; ; ) {
  Atomics.wait(shared, control.list, seen);
  seen = Atomics.load(shared, control.list);
  takeChunks(shared, seen, exports as Functions, data.taker);
}

import { workerData } from "node:worker_threads";
import { type WasmMemory, type WasmModule, WebAssembly } from "../webassembly.js";
import { control, type Functions, takeChunks } from "./work.js";

/** What a helping thread is given. */
export interface WorkerData {
  module: WasmModule;
  memory: WasmMemory;
  control: SharedArrayBuffer;
  scratch: number;
}

const data = workerData as WorkerData;
const { exports } = new WebAssembly.Instance(data.module, { env: { memory: data.memory } });
const shared = new Int32Array(data.control);

Atomics.add(shared, control.ready, 1);
for (let seen = 0; ; ) {
  Atomics.wait(shared, control.list, seen);
  seen = Atomics.load(shared, control.list);
  takeChunks(shared, seen, exports as Functions, data.scratch);
}

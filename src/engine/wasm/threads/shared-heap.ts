import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { BackendWasm, setThreadsCount } from "@tensorflow/tfjs-backend-wasm";
import { type EmscriptenModule, type WasmMemory, WebAssembly } from "../webassembly.js";

/**
 * A tfjs-wasm backend whose heap is a SharedArrayBuffer, so that our own threads can compute in it.
 *
 * tfjs keeps the build with threads from Node (its loader gives node's Worker a blob: URL), and that build would start
 * eight threads of its own at once. We load the build ourselves, and hand it workers that do nothing: with a thread count
 * of 1 XNNPACK never uses them.
 */
export async function createSharedBackend(): Promise<BackendWasm> {
  setThreadsCount(1);
  const require = createRequire(import.meta.url);
  const dist = dirname(require.resolve("@tensorflow/tfjs-backend-wasm"));
  const factory = require(join(dist, "../wasm-out/tfjs-backend-wasm-threaded-simd.js")) as Factory;
  const wasmMemory = new WebAssembly.Memory({ initial: 256, maximum: 65536, shared: true });
  const module = await withIdleWorkers(require, () =>
    factory({ locateFile: (path) => join(dist, path), mainScriptUrlOrBlob: "unused", wasmMemory }),
  );
  module.wasmMemory = wasmMemory;
  module.tfjs = bindings(module);
  return new BackendWasm(module as unknown as ConstructorParameters<typeof BackendWasm>[0]);
}

type Factory = (options: {
  locateFile: (path: string) => string;
  mainScriptUrlOrBlob: string;
  wasmMemory: WasmMemory;
}) => Promise<EmscriptenModule>;

/** What tfjs's own loader attaches (backend_wasm.ts, init). */
function bindings(module: EmscriptenModule) {
  return {
    init: module.cwrap("init", null, []),
    initWithThreadsCount: module.cwrap("init_with_threads_count", null, ["number"]),
    getThreadsCount: module.cwrap("get_threads_count", "number", []),
    registerTensor: module.cwrap("register_tensor", null, ["number", "number", "number"]),
    disposeData: module.cwrap("dispose_data", null, ["number"]),
    dispose: module.cwrap("dispose", null, []),
  };
}

/** Answers Emscripten's loader, and never runs anything. */
class IdleWorker {
  onmessage?: (event: { data: { cmd: string } }) => void;
  postMessage(message: { cmd: string }): void {
    if (message.cmd === "load") setImmediate(() => this.onmessage?.({ data: { cmd: "loaded" } }));
  }
  on(): void {}
  ref(): void {}
  unref(): void {}
  terminate(): void {}
}

/** Emscripten takes its workers from `worker_threads` while it loads, and leaves them in the global `Worker`. */
async function withIdleWorkers<T>(require: NodeJS.Require, load: () => Promise<T>): Promise<T> {
  const threads = require("node:worker_threads") as { Worker: unknown };
  const scope = globalThis as { Worker?: unknown };
  const [own, global, hadGlobal] = [threads.Worker, scope.Worker, "Worker" in scope];
  threads.Worker = IdleWorker;
  try {
    return await load();
  } finally {
    threads.Worker = own;
    if (hadGlobal) scope.Worker = global;
    else delete scope.Worker;
  }
}

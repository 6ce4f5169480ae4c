import { workerData } from "node:worker_threads";
import { type CompilerSetup, Signal } from "../messages.js";
import type { TypeMode } from "./cell.js";
import { loadTypeScript } from "./load.js";

// The rest of the compiler loads TypeScript: it must be there before.
const writeCache = loadTypeScript();
const { CellCompiler } = await import("./cell.js");
const { complete } = await import("./complete.js");
const { inspectAt } = await import("./inspect.js");
const { isComplete } = await import("./is-complete.js");
const { compileModule } = await import("./module.js");

/** Requests of the protocol thread; each is answered with `{ id, result }` or `{ id, error }`. */
export type CompilerRequest =
  | { op: "compile"; cell: number; code: string; mode: TypeMode }
  | { op: "commit"; cell: number; live: string[] }
  | { op: "complete"; code: string; cursor: number }
  | { op: "inspect"; code: string; cursor: number; detail: number }
  | { op: "isComplete"; code: string };

const { options, protocol, cells, signals } = workerData as CompilerSetup;
const words = new Int32Array(signals);
const compiler = new CellCompiler(options.cwd);

protocol.on("message", ({ id, request }: { id: number; request: CompilerRequest }) => {
  try {
    protocol.postMessage({ id, result: answer(request) });
  } catch (error) {
    protocol.postMessage({ id, error: (error as Error).stack ?? String(error) });
  }
});

cells.on("message", ({ path }: { kind: "module"; path: string }) => {
  cells.postMessage(compileModule(path, compiler.service.options));
  Atomics.add(words, Signal.compiled, 1);
  Atomics.notify(words, Signal.compiled);
});

// The first program takes longest: begin before the first cell comes.
compiler.compile(0, "console.log(1)", "block");
compiler.commit(0, []);
// After what has been asked for in the meantime.
setTimeout(() => compiler.warmUp(), 100);
setTimeout(writeCache, 5000).unref();

function answer(request: CompilerRequest): unknown {
  switch (request.op) {
    case "compile":
      return compiler.compile(request.cell, request.code, request.mode);
    case "commit":
      return compiler.commit(request.cell, request.live);
    case "complete":
      return complete(compiler, request.code, request.cursor);
    case "inspect":
      return inspectAt(compiler, request.code, request.cursor, request.detail);
    case "isComplete":
      return isComplete(request.code);
  }
}

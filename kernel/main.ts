#!/usr/bin/env node
import { createRequire } from "node:module";
import { join } from "node:path";
import { getHeapStatistics } from "node:v8";
import { MessageChannel, Worker } from "node:worker_threads";
import { setNotebookHost } from "../src/notebook/host.js";
import * as asking from "./cells/ask.js";
import { captureChildren } from "./cells/children.js";
import { Comms } from "./cells/comms.js";
import { currentCell, inCell } from "./cells/context.js";
import { clearOutput, DISPLAY, display, sendDisplay, template } from "./cells/display.js";
import { describeError, installStackTraces, ProcessExit } from "./cells/errors.js";
import { hidePromiseMembers } from "./cells/inspection.js";
import { onInterrupt } from "./cells/interrupt-requests.js";
import { createModules } from "./cells/modules.js";
import { captureOutput } from "./cells/output.js";
import { connect, post } from "./cells/port.js";
import { Runner } from "./cells/runner.js";
import { createTslab } from "./cells/tslab.js";
import type { TypeMode } from "./compiler/cell.js";
import { readConnectionFile } from "./connection.js";
import {
  type CompilerSetup,
  type FromCells,
  type KernelOptions,
  type ProtocolSetup,
  Signal,
  type ToCells,
} from "./messages.js";

/**
 * The kernel process. This thread, the main one, runs the cells; one worker speaks the protocol and stays responsive
 * whatever the cells do, another one compiles. Only the main thread's code can be interrupted from outside.
 */
function main(): void {
  const options: KernelOptions = {
    connection: readConnectionFile(process.argv[2] ?? ""),
    cwd: process.cwd(),
    types: typeMode(process.env.KAISETSU_TYPES),
    heapLimit: getHeapStatistics().heap_size_limit - YOUNG_GENERATION,
  };
  const signals = new SharedArrayBuffer(Signal.length * Int32Array.BYTES_PER_ELEMENT);
  const toCompiler = new MessageChannel();
  const cellsToCompiler = new MessageChannel();
  const input = new MessageChannel();
  const protocolSetup: ProtocolSetup = { options, compiler: toCompiler.port1, input: input.port1, signals };
  const protocol = new Worker(new URL("./protocol/thread.js", import.meta.url), {
    workerData: protocolSetup,
    transferList: [toCompiler.port1, input.port1],
  });
  const compilerSetup: CompilerSetup = { options, protocol: toCompiler.port2, cells: cellsToCompiler.port2, signals };
  const compiler = new Worker(new URL("./compiler/thread.js", import.meta.url), {
    workerData: compilerSetup,
    transferList: [toCompiler.port2, cellsToCompiler.port2],
    // A deep type must not take down the kernel, nor must the compiler's memory be the cells'.
    resourceLimits: { stackSizeMb: 16 },
  });
  connect({
    post: (message: FromCells) => protocol.postMessage(message),
    input: input.port2,
    compiler: cellsToCompiler.port1,
    signals: new Int32Array(signals),
  });
  for (const port of [input.port2, cellsToCompiler.port1]) port.unref();
  const reallyExit = process.exit.bind(process);
  for (const [name, worker] of [
    ["protocol", protocol],
    ["compiler", compiler],
  ] as const) {
    worker.on("error", (error) => {
      process.stderr.write = Object.getPrototypeOf(process.stderr).write;
      console.error(`kaisetsu kernel: the ${name} thread failed`, error);
      reallyExit(1);
    });
  }

  const comms = new Comms();
  const runner = createRunner(options, comms);
  // Found by the protocol thread through the inspector.
  Object.defineProperty(globalThis, Symbol.for("kaisetsu.kernel"), { value: runner });
  guardProcess(runner);
  protocol.on("message", (message: ToCells) => receive(message, runner, comms, reallyExit));
}

function receive(message: ToCells, runner: Runner, comms: Comms, exit: (code: number) => void): void {
  if (message.kind === "run") runner.run(message);
  else if (message.kind === "interrupted") runner.interrupted(message.id);
  else if (message.kind === "stdin") asking.answerStdin(message.value);
  else if (message.kind === "exit") exit(message.code);
  else {
    const cell = { id: message.id, label: "comm", silent: false, allowStdin: false, finished: true };
    const { data = {} } = message.content;
    const metadata = message.metadata as Record<string, unknown>;
    inCell(cell, () => {
      try {
        comms.receive(message.msgType, message.content, { data, metadata, buffers: message.buffers });
      } catch (error) {
        console.error(describeError(error).traceback.join("\n"));
      }
      post({ kind: "done", id: message.id, result: { status: "ok", live: [] } });
    });
  }
}

function createRunner(options: KernelOptions, comms: Comms): Runner {
  const { version } = createRequire(import.meta.url)("typescript/package.json") as { version: string };
  const broadcast = async (msgType: string, content: Record<string, unknown>, extra: object = {}) =>
    post({ kind: "iopub", id: currentCell().id, msgType, content, ...extra });
  const [html, md, svg] = ["text/html", "text/markdown", "image/svg+xml"].map(template);
  let types = options.types;
  const settings = {
    get types() {
      return types;
    },
    set types(mode: TypeMode) {
      types = typeMode(mode);
      post({ kind: "types", mode: types });
    },
  };
  const notebook = { display, clearOutput, html, md, svg, broadcast, comms, settings };
  const deno = {
    jupyter: {
      $display: DISPLAY,
      html,
      md,
      svg,
      broadcast,
      display: async (value: unknown, how?: Parameters<typeof display>[1]) => void display(value, how),
    },
  };
  const { prompt, confirm, password } = asking;
  for (const [name, value] of Object.entries({ prompt, confirm, password, notebook })) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
  setNotebookHost({
    display: sendDisplay,
    clearOutput,
    canAsk: asking.canAsk,
    ask: asking.ask,
    onInterrupt,
  });
  const modules = createModules(options.cwd, { tslab: createTslab({ typescript: version }) });
  const module = { exports: {} };
  return new Runner(modules, [module, module.exports, join(options.cwd, "[cell].ts"), options.cwd, deno]);
}

/** Whatever goes wrong outside a cell's own run is told to the notebook and must not end the kernel. */
function guardProcess(runner: Runner): void {
  installStackTraces();
  hidePromiseMembers();
  captureOutput();
  captureChildren();
  asking.installStdin();
  const report = (error: unknown) => {
    if (error instanceof ProcessExit) return;
    console.error(describeError(error).traceback.join("\n"));
  };
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
  process.exit = ((code?: number | string) =>
    runner.exit(Number(code ?? process.exitCode ?? 0))) as typeof process.exit;
  // Where it can, the protocol thread handles it, at once; this listener also keeps Node from ending.
  process.on("SIGINT", () => post({ kind: "sigint" }));
}

/** V8 counts it in the limit, but what lives longer than a moment must do without: three times 16 MB. */
const YOUNG_GENERATION = 48 * 2 ** 20;

function typeMode(text: string | undefined): TypeMode {
  return text === "warn" || text === "off" ? text : "block";
}

main();

import { parentPort, workerData } from "node:worker_threads";
import { type FromCells, outputCost, type ProtocolSetup, Signal, type ToCells } from "../messages.js";
import { Compiler } from "./compiler.js";
import { Interrupter } from "./interrupt.js";
import { ProtocolKernel } from "./kernel.js";
import { onInterruptSignal } from "./signal.js";
import { Sockets } from "./sockets.js";

const { options, compiler, input, signals } = workerData as ProtocolSetup;
const words = new Int32Array(signals);
const sockets = new Sockets(options.connection);
const port = parentPort!;

const kernel = new ProtocolKernel(
  options,
  sockets,
  new Compiler(compiler),
  new Interrupter(),
  (message: ToCells) => port.postMessage(message),
  (value) => {
    input.postMessage({ value });
    Atomics.add(words, Signal.input, 1);
    Atomics.notify(words, Signal.input);
  },
);

port.on("message", (message: FromCells) => {
  if (message.kind === "sigint") {
    if (!takesSignals) void kernel.interrupt();
    return;
  }
  if (message.kind === "stream") {
    Atomics.sub(words, Signal.backlog, outputCost(message.text));
    Atomics.notify(words, Signal.backlog);
  }
  kernel.fromCells(message);
});

endWithParent();
endWhenIdle(Number(process.env.KAISETSU_IDLE_EXIT));
const takesSignals = onInterruptSignal(() => void kernel.interrupt());
await sockets.bind();
kernel.start();

/** Whoever started the kernel may die without a word; Jupyter and launch.ts say who that is. */
function endWithParent(): void {
  if (process.env.JPY_PARENT_PID === undefined) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, 2000).unref();
}

/** A kernel that was left to itself; `seconds` is not a number for any other. */
function endWhenIdle(seconds: number): void {
  if (!(seconds > 0)) return;
  setInterval(() => {
    if (kernel.idleSince() > seconds * 1000) process.kill(process.pid, "SIGKILL");
  }, 1000).unref();
}

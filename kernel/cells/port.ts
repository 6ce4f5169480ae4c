import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { type FromCells, type InputAnswer, outputCost, Signal } from "../messages.js";

/** The cells' end of the wires to the other two threads. */
export interface Wires {
  post(message: FromCells): void;
  input: MessagePort;
  compiler: MessagePort;
  signals: Int32Array;
}

let wires: Wires;

export function connect(given: Wires): void {
  wires = given;
}

export function post(message: FromCells): void {
  wires.post(message);
}

/** More than this waits to be sent: the printing cell waits too, or memory would fill. */
const MAX_BACKLOG = 1 << 20;

export function postStream(id: number, name: "stdout" | "stderr", text: string): void {
  const { signals } = wires;
  let backlog = Atomics.add(signals, Signal.backlog, outputCost(text)) + outputCost(text);
  wires.post({ kind: "stream", id, name, text });
  while (backlog > MAX_BACKLOG) {
    Atomics.wait(signals, Signal.backlog, backlog, 1000);
    backlog = Atomics.load(signals, Signal.backlog);
  }
}

/** Blocks until the front end has answered; undefined when the wait was interrupted. */
export function askAndWait(id: number, prompt: string, password: boolean): string | undefined {
  const before = Atomics.load(wires.signals, Signal.input);
  wires.post({ kind: "input", id, prompt, password, wait: true });
  Atomics.wait(wires.signals, Signal.input, before);
  const received = receiveMessageOnPort(wires.input);
  return (received?.message as InputAnswer | undefined)?.value;
}

/** Blocks until the compiler has answered. */
export function compileAndWait<T>(request: unknown): T {
  const before = Atomics.load(wires.signals, Signal.compiled);
  wires.compiler.postMessage(request);
  Atomics.wait(wires.signals, Signal.compiled, before);
  return receiveMessageOnPort(wires.compiler)!.message as T;
}

/** The worker in which the page's cells run. It has no document, no storage, no network: only messages to the page. */
import "./globals.js";
import { inspect } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { unpackArchive } from "../archive.js";
import type { FromWorker, ToWorker } from "../messages.js";
import * as files from "../node/files.js";
import { dirname, resolve } from "../node/path.js";
import { setWriters } from "../node/process.js";
import { unpackFile } from "../weights.js";
import { captureConsole } from "./console.js";
import { answer, becomeHost, requestEnd } from "./host.js";
import { print, sendTo } from "./output.js";
import { runCell } from "./run.js";

const WASM = "tfjs-backend-wasm-simd.wasm";

self.onmessage = ({ ports: [port] }: MessageEvent) => {
  self.onmessage = null;
  if (!port) return;
  const send = (message: FromWorker) => port.postMessage(message);
  sendTo(send);
  port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if (data.type === "start") {
      try {
        start(data);
        send({ type: "ready" });
      } catch (error) {
        send({ type: "failed", message: String(error) });
      }
    } else if (data.type === "run") void runCell(data);
    else if (data.type === "answer") answer(data.question, data.value);
    else if (requestEnd()) send({ type: "ending" });
  };
};

function start({ runtime, files: archive }: ToWorker & { type: "start" }): void {
  captureConsole();
  setWriters(
    (text) => print("stdout", text),
    (text) => print("stderr", text),
  );
  becomeHost();
  reportLateErrors();
  const wasm = unpackArchive(new Uint8Array(runtime)).get(WASM);
  if (wasm) serveWasm(wasm);
  files.makeFolder("/notebook", true);
  files.makeFolder("/tmp", true);
  for (const [path, data] of archive ? unpackArchive(new Uint8Array(archive)) : []) {
    const [name, content] = unpackFile(path, data);
    files.makeFolder(dirname(resolve(name)), true);
    files.write(name, content);
  }
}

/** What a timer or a forgotten promise of a cell throws is shown where the cell prints. */
function reportLateErrors(): void {
  const report = (event: Event, error: unknown) => {
    event.preventDefault();
    print("stderr", `${inspect(error)}\n`);
  };
  self.addEventListener("error", (event) => report(event, event.error ?? event.message));
  self.addEventListener("unhandledrejection", (event) => report(event, event.reason));
}

/** TensorFlow.js would fetch its WebAssembly; it is in the page already. */
function serveWasm(wasm: Uint8Array<ArrayBuffer>): void {
  setWasmPaths(`/${WASM}`, true);
  tf.env().platform.fetch = async () => new Response(wasm, { headers: { "content-type": "application/wasm" } });
}

// The types of a worker's global object contradict those of a page's, which the rest of the house is compiled with.
declare const self: {
  onmessage: ((event: MessageEvent) => void) | null;
  addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
  addEventListener(type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void): void;
};

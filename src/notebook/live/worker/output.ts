/** What a cell prints and shows, on its way to the page. */
import type { FromWorker, MimeBundle } from "../messages.js";

let send: (message: FromWorker) => void = () => {};
let cell = "";

/** Text waits a little, so that ten thousand short lines become a few messages. */
const pauseMs = 30;
let pending: { cell: string; name: "stdout" | "stderr"; text: string } | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let lastSent = 0;

export function sendTo(receiver: (message: FromWorker) => void): void {
  send = receiver;
}

/** What is printed from now on belongs to this cell. */
export function setCell(id: string): void {
  flush();
  cell = id;
  // Its first line goes out at once: an endless loop may follow.
  lastSent = 0;
}

export function post(message: FromWorker): void {
  flush();
  send(message);
}

export function print(name: "stdout" | "stderr", text: string): void {
  if (text === "") return;
  if (pending && (pending.name !== name || pending.cell !== cell)) flush();
  pending ??= { cell, name, text: "" };
  pending.text += text;
  // In a computation without a pause no timer comes.
  if (performance.now() - lastSent > pauseMs || pending.text.length > 1 << 16) flush();
  else timer ??= setTimeout(flush, pauseMs);
}

export function flush(): void {
  clearTimeout(timer);
  timer = undefined;
  if (pending) send({ type: "stream", ...pending });
  pending = undefined;
  lastSent = performance.now();
}

export function show(data: MimeBundle, options: { display_id?: string; update?: boolean } = {}): void {
  post({ type: "display", cell, data, display_id: options.display_id, update: options.update ?? false });
}

export function clear(wait = false): void {
  post({ type: "clear", cell, wait });
}

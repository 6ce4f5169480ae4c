import { createRequire, syncBuiltinESMExports } from "node:module";
import { StringDecoder } from "node:string_decoder";
import { currentCell } from "./context.js";
import { postStream } from "./port.js";

type Callback = (error?: Error | null) => void;

/** What the process prints goes to the notebook, under the cell that printed it. */
export function captureOutput(): void {
  for (const name of ["stdout", "stderr"] as const) {
    const stream = process[name];
    const decoders = new Map<number, StringDecoder>();
    stream.write = (
      chunk: string | Uint8Array,
      encodingOrCallback?: BufferEncoding | Callback,
      maybeCallback?: Callback,
    ): boolean => {
      const callback = typeof encodingOrCallback === "function" ? encodingOrCallback : maybeCallback;
      const encoding = typeof encodingOrCallback === "string" ? encodingOrCallback : "utf8";
      const cell = currentCell();
      const isText = typeof chunk === "string" && !/^(hex|base64|base64url)$/.test(encoding);
      const text = isText ? chunk : decode(decoders, cell.id, toBytes(chunk, encoding));
      if (text !== "" && name === "stdout") lastPrinted = { id: cell.id, midLine: !text.endsWith("\n") };
      if (text !== "" && !cell.silent) postStream(cell.id, name, text);
      if (callback) process.nextTick(callback);
      return true;
    };
  }
  captureDescriptors();
}

/** Some loggers write to descriptors 1 and 2, past the streams. */
function captureDescriptors(): void {
  const fs = createRequire(import.meta.url)("node:fs") as typeof import("node:fs");
  const { write, writeSync } = fs;
  const capture = (fd: number, data: string | Uint8Array, rest: unknown[]): number | undefined => {
    const stream = fd === 1 ? process.stdout : fd === 2 ? process.stderr : undefined;
    if (!stream || !(typeof data === "string" || data instanceof Uint8Array)) return undefined;
    const [offset, length] = rest.map((argument) => (typeof argument === "number" ? argument : undefined));
    const start = offset ?? 0;
    const chunk =
      typeof data === "string" ? data : data.subarray(start, length === undefined ? undefined : start + length);
    stream.write(chunk);
    return Buffer.byteLength(chunk);
  };
  const replace = (name: "write" | "writeSync", by: (...args: never[]) => unknown) =>
    Object.assign(fs, { [name]: Object.defineProperties(by, Object.getOwnPropertyDescriptors(fs[name])) });
  replace("writeSync", (fd: number, data: string, ...rest: never[]) => {
    return capture(fd, data, rest) ?? writeSync(fd, data, ...rest);
  });
  replace("write", (fd: number, data: string, ...rest: never[]) => {
    const written = capture(fd, data, rest);
    if (written === undefined) return write(fd, data, ...(rest as never as [null, null, never]));
    const callback = rest.at(-1) as unknown as (error: null, written: number, data: string) => void;
    process.nextTick(callback, null, written, data);
  });
  syncBuiltinESMExports();
}

let lastPrinted = { id: 0, midLine: false };

/** Whether the cell's output ends in a line that is not complete, such as a question. */
export function endsInMidLine(id: number): boolean {
  return lastPrinted.id === id && lastPrinted.midLine;
}

function toBytes(chunk: string | Uint8Array, encoding: BufferEncoding): Uint8Array {
  if (typeof chunk === "string") return Buffer.from(chunk, encoding);
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError("write() takes a string or a Uint8Array");
}

/** A character may be split over two writes of the same cell. */
function decode(decoders: Map<number, StringDecoder>, id: number, chunk: Uint8Array): string {
  let decoder = decoders.get(id);
  if (!decoder) {
    if (decoders.size > 100) decoders.clear();
    decoder = new StringDecoder("utf8");
    decoders.set(id, decoder);
  }
  return decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
}

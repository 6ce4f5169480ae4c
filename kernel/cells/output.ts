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
      const text = typeof chunk === "string" ? chunk : decode(decoders, cell.id, chunk);
      if (typeof chunk === "string" && /^(hex|base64|base64url)$/.test(encoding)) {
        return stream.write(Buffer.from(chunk, encoding), callback);
      }
      if (text !== "" && !cell.silent) postStream(cell.id, name, text);
      if (callback) process.nextTick(callback);
      return true;
    };
  }
}

/** A character may be split over two writes of the same cell. */
function decode(decoders: Map<number, StringDecoder>, id: number, chunk: Uint8Array): string {
  if (!(chunk instanceof Uint8Array)) throw new TypeError("write() takes a string or a Uint8Array");
  let decoder = decoders.get(id);
  if (!decoder) {
    if (decoders.size > 100) decoders.clear();
    decoder = new StringDecoder("utf8");
    decoders.set(id, decoder);
  }
  return decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
}

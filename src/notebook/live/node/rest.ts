/**
 * The small rest of Node that kaisetsu's modules name: os, events, streams, module, url, v8, worker_threads, readline.
 * One module stands for all of them, since no name has two meanings.
 */
import { NotInPageError, refuse } from "./errors.js";
import type { WriteStream } from "./fs.js";

// os
export const EOL = "\n";
export const homedir = (): string => "/home";
export const tmpdir = (): string => "/tmp";
export const hostname = (): string => "browser";
export const platform = (): string => "browser";
export const availableParallelism = (): number => 1;
export const cpus = (): unknown[] => [{ model: "browser" }];
export const totalmem = (): number => 2 ** 32;
export const freemem = (): number => 2 ** 32;

// events, stream, stream/promises
export const once = (stream: WriteStream, event: string): Promise<void> =>
  new Promise((resolve) => stream.once(event, resolve));
export const finished = (stream: WriteStream): Promise<void> => stream.closed;
export const pipeline = refuse("node:stream");
export const Readable = { fromWeb: refuse("node:stream") };

// module, url
export function createRequire(): NodeJS.Require {
  const require = (name: string): never => {
    throw Object.assign(new NotInPageError(`require("${name}")`), { code: "MODULE_NOT_FOUND" });
  };
  return Object.assign(require, { resolve: require, cache: {}, extensions: {}, main: undefined }) as never;
}
export const pathToFileURL = (path: string): URL => new URL(`file://${encodeURI(path)}`);
export const fileURLToPath = (url: string | URL): string => decodeURIComponent(new URL(url).pathname);

// v8, worker_threads, readline
export const setFlagsFromString = (): void => {};
export const isMainThread = true;
export const workerData = undefined;
export const Worker = refuse("worker_threads");
export const createInterface = refuse("node:readline");

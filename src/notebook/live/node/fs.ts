/** `node:fs` of the page, as far as kaisetsu and notebooks use it; paths are below `process.cwd()` as always. */
import { Buffer } from "buffer/";
import { refuse, systemError } from "./errors.js";
import * as files from "./files.js";
import * as promises from "./fs-promises.js";
import { join } from "./path.js";

type Path = string | URL;
type Encoding = BufferEncoding | null | undefined | { encoding?: BufferEncoding | null; flag?: string };

export { promises };
export const constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 };

export function existsSync(path: Path): boolean {
  return files.find(name(path)) !== undefined;
}

export function readFileSync(path: Path, options?: Encoding): Buffer | string {
  const { data } = files.needFile(name(path), "open");
  const encoding = encodingOf(options);
  // A copy: what a cell does to it must not reach the file.
  const bytes = Buffer.from(data);
  return encoding ? bytes.toString(encoding) : bytes;
}

export function writeFileSync(path: Path, data: string | ArrayBufferView, options?: Encoding): void {
  const flag = typeof options === "object" ? options?.flag : undefined;
  const bytes = toBytes(data, encodingOf(options));
  if (flag?.startsWith("a")) appendFileSync(path, bytes);
  else files.write(name(path), bytes, { exclusive: flag?.includes("x") });
}

export function appendFileSync(path: Path, data: string | ArrayBufferView, options?: Encoding): void {
  const before = files.find(name(path));
  const old = before?.kind === "file" ? before.data : new Uint8Array();
  files.write(name(path), Buffer.concat([old, toBytes(data, encodingOf(options))]));
}

export function copyFileSync(from: Path, to: Path): void {
  files.write(name(to), files.needFile(name(from), "copyfile").data.slice());
}

export function cpSync(from: Path, to: Path, options?: { recursive?: boolean }): void {
  if (files.need(name(from), "cp").kind === "file") {
    copyFileSync(from, to);
    return;
  }
  if (!options?.recursive) throw systemError("EISDIR", "cp", name(from));
  files.makeFolder(name(to), true);
  for (const child of files.list(name(from))) cpSync(join(name(from), child), join(name(to), child), options);
}

export function mkdirSync(path: Path, options?: { recursive?: boolean }): string | undefined {
  return files.makeFolder(name(path), options?.recursive ?? false);
}

export function mkdtempSync(prefix: string): string {
  const path = `${prefix}${Math.random().toString(36).slice(2, 8)}`;
  files.makeFolder(path, false);
  return path;
}

export function readdirSync(path: Path, options?: ReaddirOptions | BufferEncoding | null): string[] | Dirent[] {
  const { withFileTypes = false, recursive = false } = typeof options === "object" ? (options ?? {}) : {};
  const entries = entriesOf(name(path), recursive);
  if (withFileTypes) return entries;
  return entries.map((entry) => join(entry.parentPath, entry.name).slice(join(name(path), "/").length));
}

export interface ReaddirOptions {
  withFileTypes?: boolean;
  recursive?: boolean;
}

export class Dirent {
  constructor(
    readonly name: string,
    readonly parentPath: string,
    private readonly folder: boolean,
  ) {}
  isDirectory = () => this.folder;
  isFile = () => !this.folder;
  isSymbolicLink = () => false;
}

function entriesOf(path: string, recursive: boolean): Dirent[] {
  return files.list(path).flatMap((child) => {
    const inside = join(path, child);
    const isFolder = files.find(inside)!.kind === "folder";
    const entry = new Dirent(child, path, isFolder);
    return isFolder && recursive ? [entry, ...entriesOf(inside, true)] : [entry];
  });
}

export function renameSync(from: Path, to: Path): void {
  files.move(name(from), name(to));
}

export function linkSync(from: Path, to: Path): void {
  files.link(name(from), name(to));
}

export function rmSync(path: Path, options?: { recursive?: boolean; force?: boolean }): void {
  files.remove(name(path), options);
}

export function unlinkSync(path: Path): void {
  files.needFile(name(path), "unlink");
  files.remove(name(path));
}

export function rmdirSync(path: Path): void {
  files.removeEmptyFolder(name(path));
}

export function accessSync(path: Path): void {
  files.need(name(path), "access");
}

export function utimesSync(path: Path, _: unknown, mtime: number | string | Date): void {
  files.need(name(path), "utime").mtime = mtime instanceof Date ? mtime.getTime() : Number(mtime) * 1000;
}

export function readlinkSync(path: Path): never {
  files.need(name(path), "readlink");
  throw systemError("EINVAL", "readlink", name(path));
}

export function realpathSync(path: Path): string {
  files.need(name(path), "lstat");
  return name(path);
}

export function statSync(path: Path, options?: { throwIfNoEntry?: boolean }): Stats | undefined {
  const node = options?.throwIfNoEntry === false ? files.find(name(path)) : files.need(name(path), "stat");
  return node && new Stats(node);
}

export const lstatSync = statSync;

export class Stats {
  readonly size: number;
  readonly mode: number;
  readonly ino: number;
  readonly dev = 1;
  readonly nlink = 1;
  readonly mtimeMs: number;
  readonly mtime: Date;
  private readonly folder: boolean;
  constructor(node: files.Node) {
    this.size = node.kind === "file" ? node.data.length : 0;
    this.mode = node.mode;
    this.ino = node.ino;
    this.mtimeMs = node.mtime;
    this.mtime = new Date(node.mtime);
    this.folder = node.kind === "folder";
  }
  isDirectory = () => this.folder;
  isFile = () => !this.folder;
  isSymbolicLink = () => false;
}

/** Enough of a stream for `for await` and for `pipe`-less readers. */
export function createReadStream(path: Path): AsyncIterable<Buffer> {
  return {
    async *[Symbol.asyncIterator]() {
      yield Buffer.from(files.needFile(name(path), "open").data);
    },
  };
}

/** Enough of a stream for `write`, `end`, and `finished` of `node:stream/promises`: the file is there after `end`. */
export function createWriteStream(path: Path): WriteStream {
  return new WriteStream(name(path));
}

export class WriteStream {
  readonly errored = null;
  private readonly pieces: Uint8Array[] = [];
  private settle!: () => void;
  readonly closed = new Promise<void>((resolve) => {
    this.settle = resolve;
  });
  constructor(readonly path: string) {
    files.write(path, new Uint8Array());
  }
  write(piece: string | ArrayBufferView): boolean {
    // A writer may fill the same buffer again.
    this.pieces.push(toBytes(piece).slice());
    return true;
  }
  end(piece?: string | ArrayBufferView): this {
    if (piece !== undefined) this.write(piece);
    files.write(this.path, Buffer.concat(this.pieces));
    this.settle();
    return this;
  }
  once = (event: string, listener: () => void): this => this.on(event, listener);
  on(event: string, listener: () => void): this {
    if (event === "finish" || event === "close") this.closed.then(listener);
    return this;
  }
}

export const symlinkSync = refuse("symlink");
export const watch = refuse("fs.watch");

export function toBytes(data: string | ArrayBufferView, encoding?: BufferEncoding | null): Uint8Array {
  if (typeof data === "string") return Buffer.from(data, encoding ?? "utf8");
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
}

export function encodingOf(options: Encoding): BufferEncoding | undefined {
  return (typeof options === "string" ? options : options?.encoding) ?? undefined;
}

export function name(path: Path): string {
  return path instanceof URL ? decodeURIComponent(path.pathname) : path;
}

/** `node:fs/promises` of the page. */
import { refuse } from "./errors.js";
import * as files from "./files.js";
import * as fs from "./fs.js";

const later =
  <P extends unknown[], R>(now: (...parameters: P) => R) =>
  async (...parameters: P): Promise<R> =>
    now(...parameters);

export const access = later((path: string) => fs.accessSync(path));
export const appendFile = later((...p: Parameters<typeof fs.appendFileSync>) => fs.appendFileSync(...p));
export const copyFile = later((from: string, to: string) => fs.copyFileSync(from, to));
export const cp = later((...p: Parameters<typeof fs.cpSync>) => fs.cpSync(...p));
export const link = later((from: string, to: string) => fs.linkSync(from, to));
export const lstat = later((path: string) => fs.statSync(path));
export const mkdir = later((...p: Parameters<typeof fs.mkdirSync>) => fs.mkdirSync(...p));
export const mkdtemp = later((prefix: string) => fs.mkdtempSync(prefix));
export const readdir = later((...p: Parameters<typeof fs.readdirSync>) => fs.readdirSync(...p));
export const readFile = later((...p: Parameters<typeof fs.readFileSync>) => fs.readFileSync(...p));
export const realpath = later((path: string) => fs.realpathSync(path));
export const rename = later((from: string, to: string) => fs.renameSync(from, to));
export const rm = later((...p: Parameters<typeof fs.rmSync>) => fs.rmSync(...p));
export const rmdir = later((path: string) => fs.rmdirSync(path));
export const stat = later((path: string) => fs.statSync(path));
export const unlink = later((path: string) => fs.unlinkSync(path));
export const utimes = later((...p: Parameters<typeof fs.utimesSync>) => fs.utimesSync(...p));
export const writeFile = later((...p: Parameters<typeof fs.writeFileSync>) => fs.writeFileSync(...p));
export const symlink = refuse("symlink");

/** Memory is what a page has instead of a disk. */
export async function statfs(_: string): Promise<{ bavail: number; bsize: number }> {
  return { bavail: 1 << 20, bsize: 4096 };
}

export async function open(path: string, flags = "r"): Promise<FileHandle> {
  if (flags.startsWith("w")) files.write(path, new Uint8Array(), { exclusive: flags.includes("x") });
  return new FileHandle(files.need(path, "open"), path);
}

export class FileHandle {
  constructor(
    private readonly node: files.Node,
    private readonly path: string,
  ) {}
  async read(target: Uint8Array, offset = 0, length = target.length - offset, position = 0) {
    const data = this.node.kind === "file" ? this.node.data : new Uint8Array();
    const piece = data.subarray(position, position + length);
    target.set(piece, offset);
    return { bytesRead: piece.length, buffer: target };
  }
  async writeFile(data: string | ArrayBufferView): Promise<void> {
    fs.writeFileSync(this.path, data);
  }
  readFile = (...p: [Parameters<typeof fs.readFileSync>[1]?]) => readFile(this.path, ...p);
  stat = async () => new fs.Stats(this.node);
  sync = async () => {};
  datasync = async () => {};
  close = async () => {};
}

/** The files of the page: a tree in memory that a cell reads and writes through `node:fs`. */
import { systemError } from "./errors.js";
import { dirname, resolve } from "./path.js";

export interface FileNode {
  kind: "file";
  data: Uint8Array;
  mtime: number;
  mode: number;
  ino: number;
}

export interface FolderNode {
  kind: "folder";
  mtime: number;
  mode: number;
  ino: number;
}

export type Node = FileNode | FolderNode;

let inodes = 1;
const nodes = new Map<string, Node>([["/", folder()]]);

export function find(path: string): Node | undefined {
  return nodes.get(resolve(path));
}

export function need(path: string, syscall: string): Node {
  const node = find(path);
  if (!node) throw systemError(underFile(resolve(path)) ? "ENOTDIR" : "ENOENT", syscall, path);
  return node;
}

export function needFile(path: string, syscall: string): FileNode {
  const node = need(path, syscall);
  if (node.kind === "folder") throw systemError("EISDIR", syscall, path);
  return node;
}

export function write(path: string, data: Uint8Array, { exclusive = false, syscall = "open" } = {}): FileNode {
  const at = resolve(path);
  const existing = nodes.get(at);
  if (existing && exclusive) throw systemError("EEXIST", syscall, path);
  if (existing?.kind === "folder") throw systemError("EISDIR", syscall, path);
  needFolder(dirname(at), syscall, path);
  const node: FileNode = existing ?? { kind: "file", data, mtime: 0, mode: 0o100644, ino: inodes++ };
  node.data = data;
  node.mtime = Date.now();
  nodes.set(at, node);
  return node;
}

/** @returns the first folder that was made, as Node does for `recursive` */
export function makeFolder(path: string, recursive: boolean): string | undefined {
  const at = resolve(path);
  const existing = nodes.get(at);
  if (existing) {
    if (recursive && existing.kind === "folder") return undefined;
    throw systemError("EEXIST", "mkdir", path);
  }
  let first: string | undefined;
  const parent = dirname(at);
  if (recursive && !nodes.has(parent)) first = makeFolder(parent, true);
  needFolder(parent, "mkdir", path);
  nodes.set(at, folder());
  return recursive ? (first ?? at) : undefined;
}

/** Names directly below a folder, sorted. */
export function list(path: string): string[] {
  const at = resolve(path);
  if (need(path, "scandir").kind !== "folder") throw systemError("ENOTDIR", "scandir", path);
  const prefix = at === "/" ? "/" : `${at}/`;
  return [...nodes.keys()]
    .filter((name) => name !== "/" && name.startsWith(prefix) && !name.slice(prefix.length).includes("/"))
    .map((name) => name.slice(prefix.length))
    .sort();
}

export function move(from: string, to: string): void {
  const node = need(from, "rename");
  const [source, target] = [resolve(from), resolve(to)];
  if (source === target) return;
  needFolder(dirname(target), "rename", from);
  const existing = nodes.get(target);
  if (node.kind === "folder" && target.startsWith(`${source}/`)) throw systemError("EINVAL", "rename", from, to);
  if (existing?.kind === "folder") {
    if (node.kind === "file") throw systemError("EISDIR", "rename", from, to);
    if (list(to).length > 0) throw systemError("ENOTEMPTY", "rename", from, to);
  } else if (existing && node.kind === "folder") throw systemError("ENOTDIR", "rename", from, to);
  for (const path of below(source)) {
    nodes.set(target + path.slice(source.length), nodes.get(path)!);
    nodes.delete(path);
  }
}

/** A second name for the same file. */
export function link(from: string, to: string): void {
  const node = needFile(from, "link");
  if (find(to)) throw systemError("EEXIST", "link", from, to);
  needFolder(dirname(resolve(to)), "link", from);
  nodes.set(resolve(to), node);
}

export function remove(path: string, { recursive = false, force = false } = {}): void {
  const at = resolve(path);
  const node = nodes.get(at);
  if (!node) {
    if (force) return;
    throw systemError("ENOENT", "rm", path);
  }
  if (node.kind === "folder" && !recursive) throw systemError("EISDIR", "rm", path);
  for (const name of below(at)) nodes.delete(name);
}

export function removeEmptyFolder(path: string): void {
  if (need(path, "rmdir").kind !== "folder") throw systemError("ENOTDIR", "rmdir", path);
  if (list(path).length > 0) throw systemError("ENOTEMPTY", "rmdir", path);
  nodes.delete(resolve(path));
}

function below(path: string): string[] {
  return [...nodes.keys()].filter((name) => name === path || name.startsWith(`${path}/`));
}

function needFolder(path: string, syscall: string, asked: string): void {
  const node = nodes.get(path);
  if (!node) throw systemError(underFile(path) ? "ENOTDIR" : "ENOENT", syscall, asked);
  if (node.kind !== "folder") throw systemError("ENOTDIR", syscall, asked);
}

function underFile(path: string): boolean {
  for (let at = path; at !== "/"; at = dirname(at)) if (nodes.get(at)?.kind === "file") return true;
  return false;
}

function folder(): FolderNode {
  return { kind: "folder", mtime: Date.now(), mode: 0o40755, ino: inodes++ };
}

import { constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { currentCell } from "./context.js";
import { post } from "./port.js";

const childProcess = createRequire(import.meta.url)("node:child_process") as typeof import("node:child_process");
const { spawnSync } = childProcess;

type Options = { stdio?: unknown };

/**
 * What children print that inherit this process's output goes to the notebook, also while this thread waits for one
 * (`execSync("npm install", { stdio: "inherit" })`): they write into named pipes that the protocol thread reads.
 */
export function captureChildren(): void {
  const { ChildProcess } = childProcess as unknown as { ChildProcess: { prototype: { spawn(o: Options): unknown } } };
  const { spawn } = ChildProcess.prototype;
  // All asynchronous ways to start a child lead here.
  ChildProcess.prototype.spawn = function (options) {
    return spawn.call(this, redirected(options));
  };
  const functions = childProcess as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ["spawnSync", "execSync", "execFileSync"]) {
    const original = functions[name]!;
    functions[name] = (...args) => original(...args.map((arg) => (isOptions(arg) ? redirected(arg) : arg)));
  }
  syncBuiltinESMExports();
}

function isOptions(arg: unknown): arg is Options {
  return typeof arg === "object" && arg !== null && !Array.isArray(arg) && "stdio" in arg;
}

function redirected<T extends Options>(options: T): T {
  const { stdio } = options;
  const wanted = stdio === "inherit" ? ["inherit", "inherit", "inherit"] : stdio;
  if (!Array.isArray(wanted) || !wanted.some((entry, i) => i > 0 && target(entry, i) !== undefined)) return options;
  const pipes = openPipes();
  if (!pipes) return options;
  const cell = currentCell();
  post({ kind: "children", id: cell.id, stdout: pipes.stdout.path, stderr: pipes.stderr.path });
  const entries = wanted.map((entry, i) => {
    const name = i > 0 ? target(entry, i) : undefined;
    if (name === undefined) return entry;
    return cell.silent ? "ignore" : pipes[name].fd;
  });
  return { ...options, stdio: entries };
}

/** Which of this process's streams the child's descriptor `index` would be. */
function target(entry: unknown, index: number): "stdout" | "stderr" | undefined {
  if (entry === 1 || entry === process.stdout) return "stdout";
  if (entry === 2 || entry === process.stderr) return "stderr";
  return entry === "inherit" ? ([undefined, "stdout", "stderr"] as const)[index] : undefined;
}

interface Pipe {
  path: string;
  fd: number;
}

let pipes: { stdout: Pipe; stderr: Pipe } | undefined;

/** Undefined where there are no named pipes. */
function openPipes(): typeof pipes {
  if (pipes) return pipes;
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-pipes-"));
  const paths = ["stdout", "stderr"].map((name) => join(folder, name));
  try {
    if (spawnSync("mkfifo", ["-m", "600", ...paths]).status !== 0) return undefined;
    // For reading too, or opening would wait for the reader.
    const [stdout, stderr] = paths.map((path) => ({ path, fd: openSync(path, constants.O_RDWR) }));
    pipes = { stdout: stdout!, stderr: stderr! };
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    return pipes;
  } catch {
    return undefined;
  }
}

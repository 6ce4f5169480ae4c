/** `process` of the page. It names no Node version: by that, libraries tell that they run in a browser. */
import { refuse } from "./errors.js";

type Writer = (text: string) => void;
const writers: Record<"stdout" | "stderr", Writer> = { stdout: () => {}, stderr: () => {} };

export function setWriters(stdout: Writer, stderr: Writer): void {
  Object.assign(writers, { stdout, stderr });
}

const stream = (name: keyof typeof writers) => ({
  isTTY: false,
  columns: 80,
  write(piece: string | Uint8Array, ...rest: unknown[]): boolean {
    writers[name](typeof piece === "string" ? piece : new TextDecoder().decode(piece));
    const callback = rest.at(-1);
    if (typeof callback === "function") queueMicrotask(callback as () => void);
    return true;
  },
});

const started = performance.now();

export const process = {
  title: "kaisetsu",
  platform: "browser",
  arch: "wasm32",
  pid: 1,
  argv: ["kaisetsu"],
  execArgv: [] as string[],
  // The only engine that a page has; "auto" would try those of Node first.
  env: { KAISETSU_ENGINE: "wasm" } as Record<string, string | undefined>,
  version: "",
  versions: { typescript: "" } as Record<string, string>,
  stdout: stream("stdout"),
  stderr: stream("stderr"),
  stdin: { isTTY: false },
  exitCode: undefined as number | undefined,
  cwd: () => "/notebook",
  chdir: refuse("process.chdir"),
  exit: refuse("process.exit"),
  kill: () => true,
  on: () => process,
  once: () => process,
  off: () => process,
  removeListener: () => process,
  emit: () => false,
  listeners: () => [],
  emitWarning: (warning: unknown) => writers.stderr(`${String(warning)}\n`),
  nextTick: (callback: (...parameters: unknown[]) => void, ...parameters: unknown[]) =>
    queueMicrotask(() => callback(...parameters)),
  uptime: () => (performance.now() - started) / 1000,
  hrtime: Object.assign(
    (): [number, number] => [Math.floor(performance.now() / 1000), Math.round((performance.now() % 1000) * 1e6)],
    { bigint: () => BigInt(Math.round(performance.now() * 1e6)) },
  ),
  memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
  /** A page of 32-bit WebAssembly may hold 4 GB; what is left of it cannot be asked. */
  availableMemory: () => 2 ** 32,
  constrainedMemory: () => 2 ** 32,
};

export default process;
export const { env, stdout, stderr, argv, platform, cwd } = process;

import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { OutputDirInUseError } from "./errors.js";

/** Its presence says that a process trains into this folder. */
export const lockName = ".kaisetsu-training.lock";

interface Owner {
  pid: number;
  host: string;
  /** Distinguishes a process from a later one with the same number (Linux: start time in clock ticks since boot). */
  process_start: string | null;
  since: string;
}

/** How long a lock of another machine, which cannot be asked, is believed without a sign of life. */
const silenceLimitMs = 10 * 60_000;
const signOfLifeMs = 60_000;

/**
 * Claims a folder for this process.
 * @returns gives it back
 * @throws OutputDirInUseError with the other process's details
 */
export function lockOutputDir(outputDir: string): () => void {
  mkdirSync(outputDir, { recursive: true });
  const path = join(outputDir, lockName);
  const owner: Owner = {
    pid: process.pid,
    host: hostname(),
    process_start: processStart(process.pid),
    since: new Date().toISOString(),
  };
  const content = JSON.stringify(owner);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(path, content, { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt === 3) throw error;
      refuseIfAlive(path, outputDir);
      rmSync(path, { force: true });
    }
  }
  held.add(owner.since);
  const timer = setInterval(() => touch(path), signOfLifeMs);
  timer.unref();
  let released = false;
  return () => {
    if (released) return;
    released = true;
    held.delete(owner.since);
    clearInterval(timer);
    // Only one's own: the folder may have been replaced meanwhile.
    if (read(path)?.since === owner.since) rmSync(path, { force: true });
  };
}

/** Who trains into this folder now, in words; undefined when nobody does. */
export function describeLock(outputDir: string): string | undefined {
  const path = join(outputDir, lockName);
  const owner = read(path);
  if (!owner || !isAlive(owner, path)) return undefined;
  const where = owner.host === hostname() ? "" : ` on ${owner.host}`;
  return `process ${owner.pid}${where}, since ${owner.since}`;
}

function refuseIfAlive(path: string, outputDir: string): void {
  const owner = describeLock(outputDir);
  if (!owner) return;
  throw new OutputDirInUseError(
    `Another training run uses ${outputDir} (${owner}). Wait for it, stop it, or choose another output_dir. ` +
      `If that process is gone, delete ${path}.`,
  );
}

/** The locks of this thread. A kernel may end the thread that trained and start another in the same process. */
const held = new Set<string>();

function isAlive(owner: Owner, path: string): boolean {
  if (owner.host !== hostname()) return Date.now() - (modified(path) ?? 0) < silenceLimitMs;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const start = processStart(owner.pid);
  if (owner.pid === process.pid && start === owner.process_start) return held.has(owner.since);
  return start === null || owner.process_start === null || start === owner.process_start;
}

/** Undefined also for a lock that a kill cut off in the middle: it is stale. */
function read(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}

function processStart(pid: number): string | null {
  try {
    // Field 22; the name in parentheses before it may hold spaces.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // The folder may be gone; the next save says so.
  }
}

function modified(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

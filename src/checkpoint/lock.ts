import { randomBytes } from "node:crypto";
import {
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { CheckpointError, OutputDirInUseError } from "./errors.js";
import { advice } from "./file-errors.js";

/** Its presence says that a process trains into this folder. */
export const lockName = ".kaisetsu-training.lock";

interface Owner {
  pid: number;
  host: string;
  /** Which start of the machine, and which container: outside of these the process number says nothing. */
  boot: string | null;
  pid_namespace: string | null;
  /** Distinguishes a process from a later one with the same number (Linux: start time in clock ticks since boot). */
  process_start: string | null;
  since: string;
  id: string;
}

const signOfLifeMs = 15_000;
/** How long a lock is believed without a sign of life where its process cannot be asked: another machine or container. */
const silenceLimitMs = 120_000;

/** The locks of this thread, by folder. A kernel may end the thread that trained and start another in the same process. */
const held = new Map<string, Owner>();

/**
 * Claims a folder for this process.
 * @returns gives it back
 * @throws OutputDirInUseError with the other process's details; CheckpointError when nothing can be written there
 */
export function lockOutputDir(outputDir: string): () => void {
  const key = resolve(outputDir);
  const path = join(outputDir, lockName);
  const owner = describeMyself();
  try {
    mkdirSync(outputDir, { recursive: true });
    claim(path, outputDir, owner);
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    const { message } = error as Error;
    throw new CheckpointError(`Nothing can be written into ${outputDir}: ${message}. ${advice(error)}`.trimEnd(), {
      cause: error,
    });
  }
  held.set(key, owner);
  const timer = setInterval(() => touch(path), signOfLifeMs);
  timer.unref();
  const release = () => {
    if (!held.delete(key)) return;
    clearInterval(timer);
    process.off("exit", release);
    // Only one's own: somebody may have deleted it and started another run.
    if (parse(read(path))?.id !== owner.id) return;
    try {
      rmSync(path, { force: true });
    } catch {
      // On a disk that has become read-only, say. Training's own error counts; a dead process's lock is not believed.
    }
  };
  process.on("exit", release);
  return release;
}

/**
 * Before something is written: is the folder still this process's? A lock that was deleted by hand is put back.
 * @throws OutputDirInUseError when another process has taken it meanwhile
 */
export function confirmLock(outputDir: string): void {
  const mine = held.get(resolve(outputDir));
  if (!mine) return;
  const path = join(outputDir, lockName);
  const content = read(path);
  const owner = parse(content);
  if (owner?.id === mine.id) touch(path);
  else if (content === undefined && statSync(outputDir, { throwIfNoEntry: false })) claim(path, outputDir, mine);
  else if (owner) throw inUse(outputDir, path, owner);
}

/** Who trains into this folder now, in words; undefined when nobody does. */
export function describeLock(outputDir: string): string | undefined {
  const path = join(outputDir, lockName);
  const owner = parse(read(path));
  return owner && isAlive(owner, path) ? words(owner) : undefined;
}

function claim(path: string, outputDir: string, owner: Owner): void {
  for (let attempt = 0; attempt < 20; attempt++) {
    if (create(path, JSON.stringify(owner))) return;
    const content = read(path);
    if (content === undefined) continue;
    const other = parse(content);
    if (other && isAlive(other, path)) throw inUse(outputDir, path, other);
    // One that is not whole may be just being written, where there are no links.
    if (!other && Date.now() - (modified(path) ?? 0) < 2000) pause(200);
    else takeAway(path, content, outputDir, other);
  }
  throw new OutputDirInUseError(`Other processes keep taking the lock of ${outputDir} (${path}).`);
}

/** A link appears with its whole content at once, or fails when the name is taken. */
function create(path: string, content: string): boolean {
  const draft = `${path}.${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    writeFileSync(draft, content);
    try {
      linkSync(draft, path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") return false;
      // Some file systems know no links.
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(code ?? "")) throw error;
      writeFileSync(path, content, { flag: "wx" });
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes a stale lock; if two processes try at once, the second must not remove what the first has put in its place. */
function takeAway(path: string, stale: string, outputDir: string, owner: Owner | undefined): void {
  const aside = `${path}.${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (read(aside) !== stale) {
    try {
      linkSync(aside, path);
    } catch {
      // Its owner notices before it writes again.
    }
  } else {
    const whose = owner ? `of ${words(owner)}, which is gone` : "that was not written to its end";
    console.error(`kaisetsu: ${outputDir}: removed a stale lock ${whose}.`);
  }
  rmSync(aside, { force: true });
}

function inUse(outputDir: string, path: string, owner: Owner): OutputDirInUseError {
  return new OutputDirInUseError(
    `Another training run uses ${outputDir} (${words(owner)}). Wait for it, stop it, or choose another output_dir. ` +
      `If that process is gone, delete ${path}.`,
  );
}

function words(owner: Owner): string {
  const where = owner.host === hostname() ? "" : ` on ${owner.host}`;
  return `process ${owner.pid}${where}, since ${owner.since}`;
}

function isAlive(owner: Owner, path: string): boolean {
  const here = describeMyself();
  const rebooted = owner.host === here.host && owner.boot !== here.boot;
  if (rebooted) return false;
  if (owner.host !== here.host || owner.pid_namespace !== here.pid_namespace) {
    return Date.now() - (modified(path) ?? 0) < silenceLimitMs;
  }
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const start = processStart(owner.pid);
  if (owner.pid === here.pid && start === owner.process_start) {
    return [...held.values()].some(({ id }) => id === owner.id);
  }
  return start === null || owner.process_start === null || start === owner.process_start;
}

function describeMyself(): Owner {
  return {
    pid: process.pid,
    host: hostname(),
    boot: read("/proc/sys/kernel/random/boot_id")?.trim() ?? null,
    pid_namespace: pidNamespace(),
    process_start: processStart(process.pid),
    since: new Date().toISOString(),
    id: randomBytes(8).toString("hex"),
  };
}

function pidNamespace(): string | null {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return null;
  }
}

function processStart(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  // Field 22; the name in parentheses before it may hold spaces.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Undefined also for a lock that a kill cut off in the middle. */
function parse(content: string | undefined): Owner | undefined {
  try {
    const owner = JSON.parse(content ?? "") as Owner | null;
    return typeof owner?.pid === "number" && typeof owner.host === "string" ? owner : undefined;
  } catch {
    return undefined;
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

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

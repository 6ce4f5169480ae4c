import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Less than this is not worth a file for each matrix. */
const MIN_BYTES = 16 * 2 ** 20;
/** statfs's type of a file system that lives in memory: files there would save none. */
const TMPFS = 0x01021994;
const PREFIX = "kaisetsu-weights-";

export interface WeightToStore {
  /** The name that the model gives its file. */
  name: string;
  /** Equal for equal bytes. */
  key: string;
  size: number;
  bytes: () => Uint8Array;
}

/** A folder for this process's weight files. Who is given it removes it with `removeWeightFolder`. */
export function newWeightFolder(): string {
  return join(tmpdir(), `${PREFIX}${process.pid}-${Math.random().toString(36).slice(2)}`);
}

export function removeWeightFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Still mapped, on Windows; the next process removes it.
  }
}

/**
 * Frozen matrices as temporary files, one each. ONNX Runtime maps such a file, lays the matrix out and lets go of it, while
 * of a matrix given in memory it makes two copies first; and a matrix that lies in a file need not lie in memory as well.
 */
export class WeightFiles {
  private readonly files = new Map<string, number>();
  private sessions = 0;

  constructor(private readonly folder: string) {}

  /**
   * A folder with one file for each weight, for as long as `load` runs.
   * @returns undefined, and nothing has run, when there is little to store or no disk to store it on
   */
  with<T>(weights: readonly WeightToStore[], load: (folder: string) => T): T | undefined {
    const folder = join(this.folder, `session-${++this.sessions}`);
    if (!this.store(weights, folder)) return undefined;
    try {
      return load(folder);
    } finally {
      removeWeightFolder(folder);
    }
  }

  has(key: string): boolean {
    return this.files.has(key);
  }

  /** Fills `bytes` from the file. It stays readable when something cleans the temporary folder meanwhile. */
  read(key: string, bytes: Uint8Array): void {
    const file = this.files.get(key)!;
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30), done);
      if (count === 0) throw new Error(`a temporary file of weights in ${this.folder} has been cut short`);
      done += count;
    }
  }

  delete(key: string): void {
    const file = this.files.get(key);
    if (file === undefined) return;
    this.files.delete(key);
    closeSync(file);
    rmSync(this.path(key), { force: true });
  }

  private store(weights: readonly WeightToStore[], folder: string): boolean {
    try {
      if (this.files.size === 0 && !this.isWorthwhile(weights)) return false;
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      for (const { name, key, bytes } of weights) {
        if (!existsSync(this.path(key))) this.write(key, bytes());
        linkSync(this.path(key), join(folder, name));
      }
      return true;
    } catch {
      // No room, no links, no right to write: then memory has to do.
      removeWeightFolder(folder);
      return false;
    }
  }

  private isWorthwhile(weights: readonly WeightToStore[]): boolean {
    if (weights.reduce((sum, { size }) => sum + size, 0) < MIN_BYTES) return false;
    if (statfsSync(tmpdir()).type === TMPFS) return false;
    removeAbandonedFolders();
    return true;
  }

  private write(key: string, bytes: Uint8Array): void {
    const file = openSync(this.path(key), "w+", 0o600);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done);
    } catch (error) {
      closeSync(file);
      unlinkSync(this.path(key));
      throw error;
    }
    const before = this.files.get(key);
    if (before !== undefined) closeSync(before);
    this.files.set(key, file);
  }

  private path(key: string): string {
    return join(this.folder, key);
  }
}

/** Those of processes that were killed. */
function removeAbandonedFolders(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : 0;
    if (pid > 0 && !isRunning(pid)) removeWeightFolder(join(tmpdir(), name));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

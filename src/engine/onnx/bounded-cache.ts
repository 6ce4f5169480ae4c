import { totalmem } from "node:os";

/**
 * A session keeps its working memory, and building it anew takes as long as a step or two: as many keep theirs as fit
 * into this share of the machine's memory.
 */
const MEMORY_SHARE = 1 / 6;
const MAX_ENTRIES = 64;

/** What was used last stays; the least recently used goes first. */
export class BoundedCache<T extends { bytes: number }> {
  private readonly entries = new Map<string, T>();
  private bytes = 0;

  constructor(
    private readonly drop: (entry: T) => void,
    private readonly maxBytes = totalmem() * MEMORY_SHARE,
  ) {}

  /** How many bytes more fit. */
  get room(): number {
    return Math.max(0, this.maxBytes - this.bytes);
  }

  /** The entry of that key, made when there is none. */
  get(key: string, make: () => T): T {
    return this.find(key) ?? this.add(key, make());
  }

  find(key: string): T | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry;
  }

  add(key: string, entry: T): T {
    this.entries.set(key, entry);
    this.bytes += entry.bytes;
    for (const [old, { bytes }] of this.entries) {
      if (this.entries.size === 1 || (this.entries.size <= MAX_ENTRIES && this.bytes <= this.maxBytes)) break;
      this.bytes -= bytes;
      this.remove(old);
    }
    return entry;
  }

  clear(): void {
    for (const key of [...this.entries.keys()]) this.remove(key);
    this.bytes = 0;
  }

  private remove(key: string): void {
    const entry = this.entries.get(key)!;
    this.entries.delete(key);
    this.drop(entry);
  }
}

import { totalmem } from "node:os";

/**
 * A session keeps its working memory, and building it anew takes as long as a step or two: as many keep theirs as fit
 * into this share of the machine's memory, those for training, evaluation and generation together.
 */
const MEMORY_SHARE = 1 / 6;
const MAX_ENTRIES = 64;

interface Entry {
  bytes: number;
}

/** Memory that several caches share. What was used last, in any of them, stays. */
export class MemoryPool {
  /** With what takes an entry out of its cache; the least recently used comes first. */
  private readonly entries = new Map<Entry, () => void>();
  private bytes = 0;

  constructor(private readonly maxBytes = totalmem() * MEMORY_SHARE) {}

  get room(): number {
    return Math.max(0, this.maxBytes - this.bytes);
  }

  /** Makes room for a new entry, which itself may be larger than all the room there is. */
  add(entry: Entry, remove: () => void): void {
    this.entries.set(entry, remove);
    this.bytes += entry.bytes;
    for (const [old, remove] of this.entries) {
      if (old === entry || this.bytes <= this.maxBytes) break;
      remove();
    }
  }

  use(entry: Entry): void {
    const remove = this.entries.get(entry)!;
    this.entries.delete(entry);
    this.entries.set(entry, remove);
  }

  delete(entry: Entry): void {
    if (this.entries.delete(entry)) this.bytes -= entry.bytes;
  }
}

const sharedPool = new MemoryPool();

/** What was used last stays; the least recently used goes first. */
export class BoundedCache<T extends Entry> {
  private readonly entries = new Map<string, T>();

  constructor(
    private readonly drop: (entry: T) => void,
    private readonly pool = sharedPool,
  ) {}

  /** How many bytes more fit. */
  get room(): number {
    return this.pool.room;
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
    this.pool.use(entry);
    return entry;
  }

  add(key: string, entry: T): T {
    this.entries.set(key, entry);
    this.pool.add(entry, () => this.remove(key));
    const [oldest] = this.entries.keys();
    if (this.entries.size > MAX_ENTRIES) this.remove(oldest!);
    return entry;
  }

  clear(): void {
    for (const key of [...this.entries.keys()]) this.remove(key);
  }

  private remove(key: string): void {
    const entry = this.entries.get(key)!;
    this.entries.delete(key);
    this.pool.delete(entry);
    this.drop(entry);
  }
}

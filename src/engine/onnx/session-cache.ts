import type { Device } from "./device.js";
import { type Program, sessionModel } from "./program.js";
import type { SessionSettings } from "./runtime.js";

/** Sessions by graph; the least recently used goes when there are too many, since each keeps its working memory. */
export class SessionCache {
  private readonly sessions = new Map<string, number>();

  constructor(
    private readonly device: Device,
    private readonly capacity: number,
    private readonly settings: () => SessionSettings,
  ) {}

  get size(): number {
    return this.sessions.size;
  }

  /** The session that computes `program`, built when no graph like it is cached. */
  get(program: Program): number {
    const session = this.sessions.get(program.key) ?? this.device.load(sessionModel(program, this.settings()));
    this.sessions.delete(program.key);
    this.sessions.set(program.key, session);
    if (this.sessions.size > this.capacity) this.drop(this.sessions.entries().next().value!);
    return session;
  }

  clear(): void {
    for (const entry of this.sessions) this.drop(entry);
  }

  private drop([key, session]: [string, number]): void {
    this.sessions.delete(key);
    this.device.unload(session);
  }
}

import type { Engine } from "../engine/types.js";

/** A longer step gains nothing from being asked for early, and whoever interrupts would have to wait for it. */
const SHORT_MS = 200;

/** A step under way. In an object, for `await` would wait for a bare promise. */
export interface UnderWay<T> {
  result: Promise<T>;
}

/** Says when it is worth while to begin a step before the result of the one before it has been read. */
export class Ahead {
  private isShort = false;

  constructor(private readonly engine: Engine) {}

  /** Whether the engine goes on while this thread prepares, and the last step was short. */
  get isWorthwhile(): boolean {
    return this.isShort && this.engine.defers === true;
  }

  /** @param started by `performance.now()` */
  watch<T>(started: number, reading: Promise<T>): UnderWay<T> {
    const result = reading.then((value) => {
      this.isShort = performance.now() - started < SHORT_MS;
      return value;
    });
    // A run that ends early leaves it unread.
    result.catch(() => undefined);
    return { result };
  }
}

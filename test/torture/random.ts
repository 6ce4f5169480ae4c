import { randomWords } from "../../src/data/random/random.js";

/** Repeatable randomness, so that a round that failed can be run again by its seed. */
export class Random {
  private drawn = 0;

  constructor(private readonly seed: number) {}

  /** A whole number from 0 up to, and without, `limit`. */
  upTo(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  chance(share: number): boolean {
    return this.unit() < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.upTo(items.length)]!;
  }

  private unit(): number {
    this.drawn += 1;
    return randomWords({ seed: this.seed, name: "torture", step: this.drawn }, 1)[0]! / 2 ** 32;
  }
}

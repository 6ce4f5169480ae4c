import { MT19937 } from "./mt19937.js";

/**
 * torch's CPU random generator: draws come in the order, and with the bits, that torch would give after
 * `manual_seed(seed)`. Every call advances it, so the order of calls matters as it does there.
 */
export class TorchGenerator {
  private readonly twister: MT19937;
  /** torch draws small normal tensors in pairs and keeps the second for the next call. */
  private spareNormal: number | undefined;

  /** @param seed a non-negative integer (`torch.manual_seed`). */
  constructor(readonly seed: number) {
    this.twister = new MT19937(seed);
  }

  /** 32 random bits as an integer in [0, 2^32). */
  uint32(): number {
    return this.twister.uint32();
  }

  /** Passes over `count` draws of 32 bits: what torch spends on tensors that are initialised and then replaced. */
  skip(count: number): void {
    for (let i = 0; i < count; i++) this.twister.uint32();
  }

  /** `torch.randperm(n)`. Torch takes 32 bits an item below 2^32/20 items, and 64 above: only the first is here. */
  randperm(n: number): number[] {
    if (n >= 2 ** 32 / 20) throw new RangeError(`torch.randperm(${n}) draws 64 bits an item, which is not supported`);
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i < n - 1; i++) {
      const j = i + (this.uint32() % (n - i));
      const swap = order[i]!;
      order[i] = order[j]!;
      order[j] = swap;
    }
    return order;
  }

  /** `torch.empty(length).uniform_(from, to)`: float32 with 24 random bits. */
  uniform(length: number, from = 0, to = 1): Float32Array {
    const start = Math.fround(from);
    const width = Math.fround(Math.fround(to) - start);
    const values = new Float32Array(length);
    // One rounding, not two: torch's build multiplies and adds in one instruction.
    for (let i = 0; i < length; i++) values[i] = this.unit24() * width + start;
    return values;
  }

  /**
   * `torch.empty(length).normal_(mean, std)`. From 16 values on torch uses a vectorised logarithm, sine and cosine, so the
   * last bits may differ (below 1e-6 relative to std).
   */
  normal(length: number, mean = 0, std = 1): Float32Array {
    if (length >= 16) return this.normalBlocks(length, mean, std);
    return Float32Array.from({ length }, () => this.normalDouble() * std + mean);
  }

  /** `torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5))` for a float32 weight `[rows, columns]`: what nn.Linear starts from. */
  kaimingUniform(rows: number, columns: number): Float32Array {
    // In torch's order of operations, since the bound is rounded once to float32.
    const gain = Math.sqrt(2 / (1 + Math.sqrt(5) ** 2));
    const bound = Math.sqrt(3) * (gain / Math.sqrt(columns));
    return this.uniform(rows * columns, -bound, bound);
  }

  /** `torch.bernoulli` of float32 probabilities: true with probability `probability(i)`. */
  bernoulli(length: number, probability: (i: number) => number): boolean[] {
    return Array.from({ length }, (_, i) => this.unit24() < Math.fround(probability(i)));
  }

  /** `torch.randint(high, (length,))` for `high` below 2^28. */
  randint(length: number, high: number): number[] {
    return Array.from({ length }, () => this.uint32() % high);
  }

  private unit24(): number {
    return (this.uint32() & 0xffffff) * 2 ** -24;
  }

  private unit53(): number {
    const high = this.uint32();
    const low = this.uint32();
    return ((high & 0x1fffff) * 2 ** 32 + low) * 2 ** -53;
  }

  private normalDouble(): number {
    if (this.spareNormal !== undefined) {
      const value = this.spareNormal;
      this.spareNormal = undefined;
      return value;
    }
    const angle = 2 * Math.PI * this.unit53();
    const radius = Math.sqrt(-2 * Math.log1p(-this.unit53()));
    this.spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Box-Muller over blocks of 16; a last block that is not whole is drawn anew over the last 16 values. */
  private normalBlocks(length: number, mean: number, std: number): Float32Array {
    const values = this.uniform(length);
    const transform = (at: number) => {
      for (let j = at; j < at + 8; j++) {
        const radius = Math.sqrt(-2 * Math.log(1 - values[j]!));
        const angle = 2 * Math.PI * values[j + 8]!;
        values[j] = radius * Math.cos(angle) * std + mean;
        values[j + 8] = radius * Math.sin(angle) * std + mean;
      }
    };
    for (let at = 0; at < length - 15; at += 16) transform(at);
    if (length % 16 !== 0) {
      values.set(this.uniform(16), length - 16);
      transform(length - 16);
    }
    return values;
  }
}

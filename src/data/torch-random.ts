import { MT19937 } from "./mt19937.js";

/**
 * torch's CPU random generator: draws come in the order, and with the bits, that torch would give after `manual_seed(seed)`.
 * Calls advance it, so the order of calls matters as it does there.
 */
export class TorchGenerator {
  private readonly twister: MT19937;

  /** @param seed a non-negative integer (`torch.manual_seed`). */
  constructor(readonly seed: number) {
    this.twister = new MT19937(seed);
  }

  /** 32 random bits as an integer in [0, 2^32). */
  uint32(): number {
    return this.twister.uint32();
  }

  /** `torch.randperm(n)`. Torch takes the remainder of 32 bits below 2^32/20 items, and 64 bits above: only the first is here. */
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
    for (let i = 0; i < length; i++) {
      const unit = (this.uint32() & 0xffffff) * 2 ** -24;
      values[i] = Math.fround(unit * width) + start;
    }
    return values;
  }
}

import { MT19937 } from "./mt19937.js";
import { PCG64 } from "./pcg64.js";
import { TorchGenerator } from "./torch-random.js";

/** Whose order: numpy's legacy `np.random.seed`, numpy's `default_rng` (also what `datasets` shuffles with), or torch's CPU generator. */
export type PermutationGenerator = "numpy" | "numpy_default_rng" | "torch";

export interface PermutationOptions {
  /** A non-negative integer; numpy's legacy generator takes at most 2^32 - 1. */
  seed: number;
  generator: PermutationGenerator;
}

/**
 * A random order of 0 … n-1, the same that Python gives for the seed:
 * `np.random.seed(s); np.random.permutation(n)`, `np.random.default_rng(s).permutation(n)`, or
 * `torch.randperm(n, generator=torch.Generator().manual_seed(s))`.
 *
 * @throws RangeError when n is not a count below 2^31, or the seed is none the generator takes.
 */
export function permutation(n: number, { seed, generator }: PermutationOptions): number[] {
  if (!Number.isInteger(n) || n < 0 || n >= 2 ** 31)
    throw new RangeError(`permutation of ${n} items: n must be a count`);
  switch (generator) {
    case "numpy":
      if (seed > 2 ** 32 - 1) throw new RangeError(`numpy's legacy generator takes seeds up to 2^32 - 1, got ${seed}`);
      return fisherYates(n, new MT19937(seed));
    case "numpy_default_rng":
      return fisherYates(n, new PCG64(seed));
    case "torch":
      return new TorchGenerator(seed).randperm(n);
    default:
      throw new RangeError(`unknown generator "${generator}": use "numpy", "numpy_default_rng" or "torch"`);
  }
}

/** Both numpy generators shuffle from the end, and draw an index with as many bits as it may need. */
function fisherYates(n: number, random: { uint32(): number }): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = drawUpTo(i, random);
    const swap = order[i]!;
    order[i] = order[j]!;
    order[j] = swap;
  }
  return order;
}

/** A uniform integer in [0, max]: keep the low bits that `max` has, and draw again while the value is too large. */
function drawUpTo(max: number, random: { uint32(): number }): number {
  const mask = 2 ** (32 - Math.clz32(max)) - 1;
  for (;;) {
    const value = (random.uint32() & mask) >>> 0;
    if (value <= max) return value;
  }
}

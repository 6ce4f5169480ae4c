import { permutation } from "./permutation.js";

/**
 * The order in which Trainer takes its training rows in one epoch (accelerate's seedable sampler): torch's randperm, seeded
 * with `(data_seed ?? seed) + epoch`. It depends on nothing else, so a resumed run finds its place by the epoch alone.
 *
 * @param n rows in the training set
 * @param options.epoch 0-based
 */
export function epochOrder(
  n: number,
  { seed, data_seed, epoch }: { seed: number; data_seed?: number | null; epoch: number },
): number[] {
  return permutation(n, { seed: (data_seed ?? seed) + epoch, generator: "torch" });
}

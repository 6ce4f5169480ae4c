import { permutation } from "./permutation.js";
import { TorchGenerator } from "./torch-random.js";

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

/**
 * Rows of similar length side by side, the longest of all first (transformers' `get_length_grouped_indices`): a random
 * order is cut into at most 50 (at least 4, if there are rows enough) groups of whole batches, each sorted by length.
 *
 * Evaluation uses it with `batch_size` rows and a fresh `new TorchGenerator(data_seed ?? seed)` each time.
 *
 * @param lengths tokens in each row
 * @param options.batch_size for training: rows in one optimizer step (batch size times accumulation)
 */
export function lengthGroupedOrder(
  lengths: readonly number[],
  { batch_size, generator }: { batch_size: number; generator: TorchGenerator },
): number[] {
  const groupRows = batch_size * Math.max(1, Math.min(Math.floor(lengths.length / (batch_size * 4)), 50));
  const order = generator.randperm(lengths.length);
  const groups: number[][] = [];
  for (let at = 0; at < order.length; at += groupRows) {
    groups.push(order.slice(at, at + groupRows).sort((a, b) => lengths[b]! - lengths[a]!));
  }
  const longest = groups.reduce((best, group) => (lengths[group[0]!]! > lengths[best[0]!]! ? group : best), groups[0]!);
  if (longest) [groups[0]![0], longest[0]] = [longest[0]!, groups[0]![0]!];
  return groups.flat();
}

/**
 * The training order of one epoch with `group_by_length`, as Trainer takes it from torch's global generator after
 * `set_seed(seed)`: `data_seed` plays no part, and every start of a data loader before it has spent two draws.
 * Equal to Trainer while nothing else draws, that is, without dropout.
 *
 * @param options.evaluations how often the run has evaluated before this epoch began
 */
export function lengthGroupedEpochOrder(
  lengths: readonly number[],
  {
    batch_size,
    seed,
    epoch,
    evaluations = 0,
  }: { batch_size: number; seed: number; epoch: number; evaluations?: number },
): number[] {
  const generator = new TorchGenerator(seed);
  const randpermDraws = Math.max(0, lengths.length - 1);
  generator.skip(2 * (epoch + 1 + evaluations) + epoch * randpermDraws);
  return lengthGroupedOrder(lengths, { batch_size, generator });
}

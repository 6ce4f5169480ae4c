import { permutation } from "./random/permutation.js";
import { TorchGenerator } from "./random/torch-random.js";

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

/** How often a run has drawn an order from torch's global generator. */
export interface DrawsBefore {
  /** Epochs that had begun, and evaluations that had been made. */
  epochs: number;
  evaluations: number;
  /** Rows in the training set, and in the evaluation set if that draws an order too (it does before transformers 5). */
  rows: number;
  eval_rows?: number;
}

/**
 * torch's global generator as a Trainer without dropout leaves it after `set_seed(seed)` and these draws: every start of a
 * data loader spends two, and every random order one a row but the last.
 */
export function generatorAfter(
  seed: number,
  { epochs, evaluations, rows, eval_rows = 0 }: DrawsBefore,
): TorchGenerator {
  const generator = new TorchGenerator(seed);
  const permuting = (count: number) => Math.max(0, count - 1);
  generator.skip(2 * (epochs + evaluations) + epochs * permuting(rows) + evaluations * permuting(eval_rows));
  return generator;
}

/**
 * The training order of one epoch with `group_by_length`, as Trainer takes it from torch's global generator: `data_seed`
 * plays no part. Equal to Trainer while nothing else draws, that is, without dropout.
 *
 * @param options.evaluations how often the run has evaluated before this epoch began
 * @param options.eval_rows rows in the evaluation set, for releases before 5
 */
export function lengthGroupedEpochOrder(
  lengths: readonly number[],
  {
    batch_size,
    seed,
    epoch,
    evaluations = 0,
    eval_rows,
  }: { batch_size: number; seed: number; epoch: number; evaluations?: number; eval_rows?: number },
): number[] {
  const generator = generatorAfter(seed, { epochs: epoch, evaluations, rows: lengths.length, eval_rows });
  // This epoch's own loader.
  generator.skip(2);
  return lengthGroupedOrder(lengths, { batch_size, generator });
}

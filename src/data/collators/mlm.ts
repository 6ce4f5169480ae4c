import { CollatorError } from "../errors.js";
import type { TorchGenerator } from "../random/torch-random.js";

export interface MaskingOptions {
  /** Share of the tokens to predict. Default 0.15. */
  mlm_probability: number;
  /** Of those, the share that becomes the mask token. Default 0.8. */
  mask_replace_prob: number;
  /** Of those, the share that becomes a random token; the rest stays. Default 0.1. */
  random_replace_prob: number;
}

/**
 * The random draws of one batch, in the order in which they are made; every matrix is `[rows, length]`. `random` and `words`
 * are not drawn when no random tokens are asked for.
 */
export interface MaskingDraws {
  masked: (boolean | number)[][];
  replaced: (boolean | number)[][];
  random?: (boolean | number)[][];
  words?: number[][];
}

/** @throws CollatorError for probabilities outside [0, 1], or two that add to more than 1. */
export function checkMasking({ mlm_probability, mask_replace_prob, random_replace_prob }: MaskingOptions): void {
  for (const [name, value] of Object.entries({ mlm_probability, mask_replace_prob, random_replace_prob })) {
    if (!(value >= 0 && value <= 1)) throw new CollatorError(`${name} should be between 0 and 1, got ${value}`);
  }
  if (mask_replace_prob + random_replace_prob > 1) {
    throw new CollatorError("The sum of mask_replace_prob and random_replace_prob should not exceed 1");
  }
}

/** Draws for a batch from torch's generator, in torch's order. `special` tokens are never masked. */
export function drawMasking(
  special: readonly boolean[][],
  { mlm_probability, mask_replace_prob, random_replace_prob }: MaskingOptions,
  { generator, vocabulary }: { generator: TorchGenerator; vocabulary: number },
): MaskingDraws {
  const width = special[0]!.length;
  const flat = special.flat();
  const matrix = <T>(values: T[]) => special.map((_, row) => values.slice(row * width, (row + 1) * width));
  const masked = matrix(generator.bernoulli(flat.length, (i) => (flat[i] ? 0 : mlm_probability)));
  const replaced = matrix(generator.bernoulli(flat.length, () => mask_replace_prob));
  if (mask_replace_prob === 1 || random_replace_prob === 0) return { masked, replaced };
  const share = random_replace_prob / (1 - mask_replace_prob);
  const random = matrix(generator.bernoulli(flat.length, () => share));
  return { masked, replaced, random, words: matrix(generator.randint(flat.length, vocabulary)) };
}

/** Replaces masked tokens, and labels only those (the rest -100). @throws CollatorError when a draw has another shape. */
export function applyMasking(
  input_ids: readonly number[][],
  special: readonly boolean[][],
  draws: MaskingDraws,
  mask_token_id: number,
): { input_ids: number[][]; labels: number[][] } {
  checkShape(input_ids, draws);
  const labels = input_ids.map((row, r) => row.map((id, c) => (isMasked(r, c) ? id : -100)));
  const ids = input_ids.map((row, r) => row.map((id, c) => (isMasked(r, c) ? replacement(id, r, c) : id)));
  return { input_ids: ids, labels };

  function isMasked(r: number, c: number): boolean {
    return Boolean(draws.masked[r]![c]) && !special[r]![c];
  }
  function replacement(id: number, r: number, c: number): number {
    if (draws.replaced[r]![c]) return mask_token_id;
    return draws.random?.[r]?.[c] && draws.words ? draws.words[r]![c]! : id;
  }
}

function checkShape(input_ids: readonly number[][], draws: MaskingDraws): void {
  for (const [name, matrix] of Object.entries(draws) as [string, unknown[][] | undefined][]) {
    if (!matrix) continue;
    const fits = matrix.length === input_ids.length && matrix.every((row, r) => row.length === input_ids[r]!.length);
    if (!fits) {
      throw new CollatorError(
        `draws.${name} must have the batch's shape [${input_ids.length}, ${input_ids[0]!.length}]`,
      );
    }
  }
}

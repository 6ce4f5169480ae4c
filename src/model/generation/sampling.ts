import { ModelError } from "../errors.js";

/** How the next token is chosen; see `GenerationOptions`. */
export interface SamplingSettings {
  do_sample: boolean;
  temperature: number;
  top_k: number;
  top_p: number;
  repetition_penalty: number;
}

export const NAN_LOGITS = "the model's logits are NaN: its weights or the adapter are broken";

/** @throws RangeError naming the setting that is out of its range */
export function checkSampling(settings: SamplingSettings): void {
  const demand = (ok: boolean, text: string) => {
    if (!ok) throw new RangeError(`generate: ${text}`);
  };
  const { do_sample, temperature, top_k, top_p, repetition_penalty } = settings;
  demand(
    !do_sample || temperature > 0,
    `temperature must be above 0, got ${temperature} (for greedy: do_sample: false)`,
  );
  demand(Number.isInteger(top_k) && top_k >= 0, `top_k must be an integer, 0 for no limit, got ${top_k}`);
  demand(top_p > 0 && top_p <= 1, `top_p must lie in (0, 1], got ${top_p}`);
  demand(repetition_penalty > 0, `repetition_penalty must be above 0, got ${repetition_penalty}`);
}

/**
 * The next token id, by the rules and in the order of transformers' logits processors: repetition penalty, temperature,
 * top-k, top-p, then a draw. Greedy without `do_sample`; of equal logits the first wins.
 *
 * @param logits `[vocab]`, changed in place
 * @param previous all tokens so far, prompt included
 * @param random a number in [0, 1)
 */
export function pickToken(
  logits: Float32Array,
  previous: Iterable<number>,
  settings: SamplingSettings,
  random: () => number,
): number {
  if (settings.repetition_penalty !== 1) penalize(logits, previous, settings.repetition_penalty);
  const best = argmax(logits);
  if (!settings.do_sample) return best;
  let candidates = strongest(logits, settings.top_k);
  const top = logits[best]!;
  const weights = candidates.map((id) => Math.exp((logits[id]! - top) / settings.temperature));
  if (settings.top_p < 1) candidates = candidates.slice(0, nucleus(weights, settings.top_p));
  let total = 0;
  for (let i = 0; i < candidates.length; i++) total += weights[i]!;
  let left = random() * total;
  for (let i = 0; i < candidates.length; i++) {
    left -= weights[i]!;
    if (left < 0) return candidates[i]!;
  }
  return candidates.at(-1)!;
}

/** CTRL's penalty (Keskar et al. 2019): positive logits are divided, negative ones multiplied. */
function penalize(logits: Float32Array, previous: Iterable<number>, penalty: number): void {
  for (const id of new Set(previous)) {
    const value = logits[id]!;
    logits[id] = value < 0 ? value * penalty : value / penalty;
  }
}

function argmax(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const value = logits[id]!;
    if (Number.isNaN(value)) throw new ModelError(NAN_LOGITS);
    if (value > logits[best]!) best = id;
  }
  return best;
}

/** Ids by falling logit, at most `limit` of them (0: all). Of equal logits the first comes first. */
function strongest(logits: Float32Array, limit: number): number[] {
  if (limit === 0) return Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b);
  // A large vocabulary is not sorted for a few of its words.
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    const value = logits[id]!;
    if (ids.length === limit && value <= logits[ids[limit - 1]!]!) continue;
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (logits[ids[middle]!]! >= value) low = middle + 1;
      else high = middle;
    }
    ids.splice(low, 0, id);
    if (ids.length > limit) ids.pop();
  }
  return ids;
}

/** How many of the leading weights are needed to reach the share `topP`; at least one. */
function nucleus(weights: number[], topP: number): number {
  const total = weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i]!;
    if (sum >= topP * total) return i + 1;
  }
  return weights.length;
}

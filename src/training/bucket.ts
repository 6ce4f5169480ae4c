import type { Batch } from "../data/types.js";
import type { Engine } from "../engine/types.js";

/**
 * The batch in one of few lengths, when the engine traces a step anew for each: padding on the right, which no token sees
 * and which carries no loss. At most 64 lengths up to 4,096 tokens.
 *
 * A batch with padding on the left stays as it is: a padded token there attends to every position alike, later padding
 * included, and the last one predicts the first real token.
 */
export function inFewLengths(batch: Batch, engine: Engine): Batch {
  if (!engine.tracesShapes || batch.attention_mask.some((row) => row[0] === 0)) return batch;
  const extra = bucketLength(batch.input_ids[0]!.length) - batch.input_ids[0]!.length;
  if (extra === 0) return batch;
  const pad = (rows: number[][], value: number) => rows.map((row) => [...row, ...Array<number>(extra).fill(value)]);
  // In packed rows the padding is one more text.
  const positions = batch.position_ids?.map((row) => [...row, ...Array(extra).keys()]);
  return {
    ...(positions && { position_ids: positions }),
    input_ids: pad(batch.input_ids, 0),
    attention_mask: pad(batch.attention_mask, 0),
    labels: pad(batch.labels, -100),
  };
}

/** The next multiple of 8, and from 128 on the next of eight lengths between one power of two and the next. */
export function bucketLength(length: number): number {
  const step = Math.max(8, 2 ** (Math.ceil(Math.log2(length)) - 4));
  return Math.ceil(length / step) * step;
}

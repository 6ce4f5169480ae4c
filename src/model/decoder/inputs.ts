import type { Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { Batch } from "../../data/types.js";
import { ModelError } from "../errors.js";
import type { ModelConfig, ModelInputs } from "../types.js";

/**
 * A host batch as int32 tensors `[batch, seq]`; the caller disposes them.
 * @throws ModelError for a ragged batch, or a token or label that the vocabulary does not have: engines would read past
 *   the embedding table, some of them silently
 */
export function modelInputs(
  batch: Batch,
  { vocab_size }: Pick<ModelConfig, "vocab_size">,
): ModelInputs & { labels: Tensor2D } {
  const columns = batch.input_ids[0]?.length ?? 0;
  if (columns === 0) throw new ModelError("the batch is empty");
  const { input_ids, attention_mask, labels, position_ids } = batch;
  for (const [name, rows] of Object.entries({
    input_ids,
    attention_mask,
    labels,
    ...(position_ids && { position_ids }),
  })) {
    const ragged = rows.findIndex((row) => row.length !== columns);
    if (ragged >= 0 || rows.length !== input_ids.length) {
      throw new ModelError(
        `${name} is not a matrix of ${input_ids.length} x ${columns}` +
          (ragged >= 0 ? `: row ${ragged} has ${rows[ragged]!.length} columns; pad the batch with a collator` : ""),
      );
    }
  }
  checkTokens("input_ids", input_ids, vocab_size, (id) => id >= 0);
  checkTokens("labels", labels, vocab_size, (id) => id >= 0 || id === -100);
  const tensor = (rows: number[][]) => tf.tensor2d(rows, [rows.length, columns], "int32");
  return {
    input_ids: tensor(input_ids),
    attention_mask: tensor(attention_mask),
    labels: tensor(labels),
    ...(position_ids && { position_ids: tensor(position_ids) }),
  };
}

function checkTokens(name: string, rows: number[][], vocabSize: number, allowed: (id: number) => boolean): void {
  for (const [i, row] of rows.entries()) {
    for (const [j, id] of row.entries()) {
      if (Number.isInteger(id) && id < vocabSize && allowed(id)) continue;
      throw new ModelError(
        `${name}[${i}][${j}] is ${id}, but the model's vocabulary has ids 0 to ${vocabSize - 1}: ` +
          "does the tokenizer belong to this model?",
      );
    }
  }
}

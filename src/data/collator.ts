import { CollatorError } from "./errors.js";
import { checkMultiple, type PaddingTokenizer, paddedLength, padTo, requirePadToken } from "./pad.js";
import type { Batch, TokenRow } from "./types.js";

export interface LanguageModelingOptions {
  tokenizer: PaddingTokenizer;
  /** False for causal models. */
  mlm: false;
  /** Round the batch's length up to a multiple of it, which keeps the number of different shapes small. */
  pad_to_multiple_of?: number | null;
}

/**
 * Pads token rows to one batch and makes the labels (transformers' class of this name).
 *
 * `mlm: false`: labels are the input ids, -100 wherever the id is the pad token. That goes by the id, not by the
 * position: when the pad token is also eos, no eos is learned.
 */
export class DataCollatorForLanguageModeling {
  private readonly tokenizer: PaddingTokenizer;
  private readonly pad_to_multiple_of: number | null | undefined;

  /** @throws CollatorError when the tokenizer has no pad token. */
  constructor({ tokenizer, mlm, pad_to_multiple_of }: LanguageModelingOptions) {
    if (mlm !== false) throw new CollatorError("masked language modelling is not supported yet: pass mlm: false");
    checkMultiple(pad_to_multiple_of);
    requirePadToken(tokenizer);
    this.tokenizer = tokenizer;
    this.pad_to_multiple_of = pad_to_multiple_of;
  }

  /**
   * `input_ids`, `attention_mask` and `labels`, each `[rows, longest]`; other columns are ignored, `labels` of equal
   * lengths are overwritten (as transformers does).
   *
   * @throws CollatorError for an empty batch, rows without input_ids, and ragged labels.
   */
  collate(rows: readonly TokenRow[]): Batch {
    const pad = requirePadToken(this.tokenizer);
    const side = this.tokenizer.padding_side;
    const length = paddedLength(rows, this.pad_to_multiple_of);
    refuseRaggedLabels(rows);
    const input_ids = rows.map((row) => padTo(row.input_ids, length, pad, side));
    const attention_mask = rows.map((row) =>
      padTo(row.attention_mask ?? new Array<number>(row.input_ids.length).fill(1), length, 0, side),
    );
    const labels = input_ids.map((ids) => ids.map((id) => (id === pad ? -100 : id)));
    return { input_ids, attention_mask, labels };
  }
}

function refuseRaggedLabels(rows: readonly TokenRow[]): void {
  const lengths = new Set(rows.map(({ labels }) => labels?.length));
  if (lengths.size > 1) {
    throw new CollatorError(
      "the rows carry labels of different lengths, which this collator does not pad (it makes its own labels): " +
        "use DataCollatorForSeq2Seq to keep them, or drop the labels column",
    );
  }
}

import { CollatorError } from "../errors.js";
import { TorchGenerator } from "../random/torch-random.js";
import type { Batch, TokenRow } from "../types.js";
import { applyMasking, checkMasking, drawMasking, type MaskingDraws, type MaskingOptions } from "./mlm.js";
import { checkMultiple, type PaddingTokenizer, paddedLength, padTo, requirePadToken } from "./pad.js";

export interface LanguageModelingOptions extends Partial<MaskingOptions> {
  tokenizer: PaddingTokenizer & Partial<MaskingTokenizer>;
  /** False for causal models such as Gemma. Default true, as in transformers. */
  mlm?: boolean;
  /** Round the batch's length up to a multiple of it, which keeps the number of different shapes small. */
  pad_to_multiple_of?: number | null;
  /** Seeds the draws of `mlm: true` (torch's generator). Default 42, which is what Trainer seeds torch with. */
  seed?: number;
}

/** What masking needs of a tokenizer besides padding; `PreTrainedTokenizer` has it. */
export interface MaskingTokenizer {
  readonly mask_token_id: number | undefined;
  readonly all_special_ids: number[];
  /** Entries of the vocabulary, added tokens included. */
  readonly length: number;
}

/**
 * Pads token rows to one batch and makes the labels (transformers' class of this name).
 *
 * `mlm: false`: labels are the input ids, -100 wherever the id is the pad token. That goes by the id, not by the
 * position: when the pad token is also eos, no eos is learned.
 *
 * `mlm: true` (BERT's objective): some tokens are masked, and only these carry a label. Special tokens never are: those of
 * the tokenizer, or those that a `special_tokens_mask` column marks with 1.
 */
export class DataCollatorForLanguageModeling {
  private readonly tokenizer: PaddingTokenizer;
  private readonly pad_to_multiple_of: number | null | undefined;
  private readonly masking: Masking | undefined;

  /** @throws CollatorError when the tokenizer has no pad token, or `mlm` no mask token; or for impossible probabilities. */
  constructor(options: LanguageModelingOptions) {
    const { tokenizer, mlm = true, pad_to_multiple_of } = options;
    this.masking = mlm ? new Masking(options) : undefined;
    checkMultiple(pad_to_multiple_of);
    requirePadToken(tokenizer);
    this.tokenizer = tokenizer;
    this.pad_to_multiple_of = pad_to_multiple_of;
  }

  /**
   * `input_ids`, `attention_mask` and `labels`, each `[rows, longest]`; other columns are ignored, `labels` of equal
   * lengths are overwritten (as transformers does).
   *
   * @param draws the random decisions of `mlm: true`; by default they are drawn from the collator's own generator
   * @throws CollatorError for an empty batch, rows without input_ids, and ragged labels.
   */
  collate(rows: readonly TokenRow[], draws?: MaskingDraws): Batch {
    const pad = requirePadToken(this.tokenizer);
    const side = this.tokenizer.padding_side;
    const length = paddedLength(rows, this.pad_to_multiple_of);
    refuseRaggedLabels(rows);
    const input_ids = rows.map((row) => padTo(row.input_ids, length, pad, side));
    const attention_mask = rows.map((row) =>
      padTo(row.attention_mask ?? new Array<number>(row.input_ids.length).fill(1), length, 0, side),
    );
    if (this.masking) {
      const special = rows.every((row) => Array.isArray(row.special_tokens_mask))
        ? rows.map((row) => padTo(row.special_tokens_mask as number[], length, 1, side).map(Boolean))
        : this.masking.specialTokens(input_ids);
      return { ...this.masking.apply(input_ids, special, draws), attention_mask };
    }
    const labels = input_ids.map((ids) => ids.map((id) => (id === pad ? -100 : id)));
    return { input_ids, attention_mask, labels };
  }
}

class Masking {
  private readonly options: MaskingOptions;
  private readonly mask_token_id: number;
  private readonly special: Set<number>;
  private readonly vocabulary: number;
  private readonly generator: TorchGenerator;

  constructor({
    tokenizer,
    mlm_probability = 0.15,
    mask_replace_prob = 0.8,
    random_replace_prob = 0.1,
    seed = 42,
  }: LanguageModelingOptions) {
    if (tokenizer.mask_token_id === undefined) {
      throw new CollatorError(
        "This tokenizer does not have a mask token which is necessary for masked language modeling. " +
          "You should pass mlm: false to train on causal language modeling instead.",
      );
    }
    this.options = { mlm_probability, mask_replace_prob, random_replace_prob };
    checkMasking(this.options);
    this.mask_token_id = tokenizer.mask_token_id;
    this.special = new Set(tokenizer.all_special_ids);
    this.vocabulary = tokenizer.length ?? 0;
    this.generator = new TorchGenerator(seed);
  }

  specialTokens(input_ids: number[][]): boolean[][] {
    return input_ids.map((row) => row.map((id) => this.special.has(id)));
  }

  apply(
    input_ids: number[][],
    special: boolean[][],
    draws: MaskingDraws | undefined,
  ): { input_ids: number[][]; labels: number[][] } {
    const { generator, vocabulary } = this;
    const decided = draws ?? drawMasking(special, this.options, { generator, vocabulary });
    return applyMasking(input_ids, special, decided, this.mask_token_id);
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

import type { Dataset } from "../dataset.js";
import { type DialogueRow, dialogueFault, rowName } from "../dialogues.js";
import { ChatTemplateError, DatasetError } from "../errors.js";
import type { TokenRow } from "../types.js";
import type { PreTrainedTokenizer } from "./tokenizer.js";

export interface TokenizeOptions {
  /** Longer conversations are cut at their end. Default 512 tokens. */
  max_length?: number;
  /** End with the header of the model's turn. For training it stays false: the conversation ends with the model's words. */
  add_generation_prompt?: boolean;
}

/**
 * Conversations to token rows: `input_ids` by the tokenizer's chat template (one `<bos>`), `attention_mask` all ones, both
 * cut to `max_length`. Other columns are left behind, as Trainer would drop them.
 *
 * @throws DatasetError for a row that is no conversation, ChatTemplateError for one that the template refuses; both name
 * the file and line, or the row's number.
 */
export function tokenizeDialogues(
  dataset: Dataset<DialogueRow>,
  tokenizer: PreTrainedTokenizer,
  { max_length = 512, add_generation_prompt = false }: TokenizeOptions = {},
): Dataset<TokenRow> {
  if (!Number.isInteger(max_length) || max_length < 1) {
    throw new RangeError(`max_length must be a positive number of tokens, got ${max_length}`);
  }
  return dataset.map((row, index) => {
    const fault = dialogueFault(row);
    if (fault) throw new DatasetError(`${rowName(row, index)}: ${fault}`);
    const input_ids = idsOf(row, index, tokenizer, add_generation_prompt).slice(0, max_length);
    return { input_ids, attention_mask: new Array<number>(input_ids.length).fill(1) };
  });
}

function idsOf(
  row: DialogueRow,
  index: number,
  tokenizer: PreTrainedTokenizer,
  add_generation_prompt: boolean,
): number[] {
  try {
    return tokenizer.applyChatTemplate(row.messages, { add_generation_prompt });
  } catch (error) {
    if (!(error instanceof ChatTemplateError)) throw error;
    throw new ChatTemplateError(`${rowName(row, index)}: ${error.message}`);
  }
}

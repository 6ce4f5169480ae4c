import { Dataset, type PreTrainedTokenizer, type TokenRow, tokenizeDialogues } from "../index.js";

/** Token rows of a file of dialogues, split as the tutorial does it: a fifth for evaluation, at most 50 dialogues. */
export function dialogueSplit(
  file: string,
  tokenizer: PreTrainedTokenizer,
  { max_length, seed }: { max_length: number; seed: number },
): { train: Dataset<TokenRow>; test: Dataset<TokenRow> } {
  const rows = tokenizeDialogues(Dataset.fromJsonl(file), tokenizer, { max_length });
  return rows.trainTestSplit({ test_size: 0.2, max_test_size: 50, seed });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { AutoTokenizer, type Batch, CollatorError, DataCollatorForLanguageModeling, type TokenRow } from "kaisetsu";
import { referenceJson, referencePath } from "./reference.js";

interface Case {
  padding_side: "left" | "right";
  pad_to_multiple_of: number | null;
  pad_token: string;
  features: TokenRow[];
  batch: Batch;
}

test("batches equal transformers' for both sides, every multiple, and a pad token that is eos", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(referencePath("gemma2-tiny/tiny-gemma2"));
  const cases = referenceJson<Case[]>("gemma2-tiny/collator.json");
  assert.equal(cases.length, 36);
  for (const { padding_side, pad_to_multiple_of, pad_token, features, batch } of cases) {
    tokenizer.padding_side = padding_side;
    tokenizer.pad_token = pad_token;
    const collator = new DataCollatorForLanguageModeling({ tokenizer, mlm: false, pad_to_multiple_of });
    assert.deepEqual(collator.collate(features), batch);
    const unmasked = features.map(({ input_ids }) => ({ input_ids }));
    assert.deepEqual(collator.collate(unmasked), batch, "a missing attention mask is all ones");
  }
});

const tokenizer = { pad_token_id: 0, padding_side: "right" as const };

test("labels that the rows bring along are overwritten when they are even, and refused when they are ragged", () => {
  const collator = new DataCollatorForLanguageModeling({ tokenizer, mlm: false });
  const rows = [
    { input_ids: [5, 6], labels: [-100, 6] },
    { input_ids: [7, 8], labels: [-100, 8] },
  ];
  assert.deepEqual(collator.collate(rows).labels, [
    [5, 6],
    [7, 8],
  ]);
  const ragged = [rows[0]!, { input_ids: [7], labels: [7] }];
  assert.throws(() => collator.collate(ragged), /labels of different lengths.*DataCollatorForSeq2Seq/);
});

test("rows that cannot be padded are refused", () => {
  assert.throws(
    () =>
      new DataCollatorForLanguageModeling({ tokenizer: { pad_token_id: undefined, padding_side: "left" }, mlm: false }),
    (error) => error instanceof CollatorError && /does not have a padding token/.test(error.message),
  );
  assert.throws(
    () => new DataCollatorForLanguageModeling({ tokenizer, mlm: false, pad_to_multiple_of: 0 }),
    RangeError,
  );
  const collator = new DataCollatorForLanguageModeling({ tokenizer, mlm: false });
  assert.throws(() => collator.collate([]), /empty batch/);
  assert.throws(() => collator.collate([{ text: "a" } as unknown as TokenRow]), /row 0 of the batch has no input_ids/);
  assert.throws(
    () => collator.collate([{ input_ids: [1, 2], attention_mask: [1] }]),
    /2 input_ids but 1 attention_mask/,
  );
});

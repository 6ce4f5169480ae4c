import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AutoTokenizer,
  type Batch,
  CollatorError,
  DataCollatorForCompletionOnlyLM,
  DataCollatorForLanguageModeling,
  DataCollatorForSeq2Seq,
  type MaskingDraws,
  type MaskingOptions,
  type TokenRow,
} from "kaisetsu";
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

interface MlmFigures {
  mask_token: string;
  all_special_ids: number[];
  cases: {
    seed: number;
    padding_side: "left" | "right";
    options: Partial<MaskingOptions>;
    calls: { features: TokenRow[]; draws: MaskingDraws; batch: Batch }[];
  }[];
}

test("mlm: true masks as transformers does, given its draws and given its seed", async () => {
  const figures = referenceJson<MlmFigures>("data/mlm.json");
  const loaded = await AutoTokenizer.fromPretrained(referencePath("gemma2-tiny/tiny-gemma2"));
  assert.deepEqual(loaded.all_special_ids, figures.all_special_ids);
  for (const { seed, padding_side, options, calls } of figures.cases) {
    const masking = {
      pad_token_id: loaded.pad_token_id,
      padding_side,
      mask_token_id: loaded.convertTokensToIds(figures.mask_token),
      all_special_ids: loaded.all_special_ids,
      length: loaded.length,
    };
    const settings = { tokenizer: masking, mlm: true, pad_to_multiple_of: 8, ...options };
    const given = new DataCollatorForLanguageModeling(settings);
    const seeded = new DataCollatorForLanguageModeling({ ...settings, seed });
    for (const { features, draws, batch } of calls) {
      assert.deepEqual(given.collate(features, draws), batch);
      assert.deepEqual(seeded.collate(features), batch);
    }
  }
});

test("mlm: true refuses what it cannot do", () => {
  const masking = { ...tokenizer, mask_token_id: 4, all_special_ids: [0], length: 10 };
  const make = (options: object) => () => new DataCollatorForLanguageModeling({ tokenizer: masking, ...options });
  assert.throws(() => new DataCollatorForLanguageModeling({ tokenizer }), /does not have a mask token.*mlm: false/);
  assert.throws(make({ mlm_probability: 1.2 }), /mlm_probability should be between 0 and 1, got 1.2/);
  assert.throws(make({ mask_replace_prob: Number.NaN }), /mask_replace_prob should be between 0 and 1/);
  assert.throws(make({ mask_replace_prob: 0.8, random_replace_prob: 0.3 }), /should not exceed 1/);
  const collator = make({})();
  const draws = { masked: [[1]], replaced: [[1]] };
  assert.throws(
    () => collator.collate([{ input_ids: [5, 6] }], draws),
    /draws\.masked must have the batch's shape \[1, 2\]/,
  );
});

test("DataCollatorForSeq2Seq pads the labels that rows bring along, as transformers does", () => {
  interface Seq2SeqCase {
    padding_side: "left" | "right";
    pad_to_multiple_of: number | null;
    features: TokenRow[];
    batch: Batch;
  }
  const cases = referenceJson<Seq2SeqCase[]>("data/seq2seq.json");
  assert.equal(cases.length, 8);
  for (const { padding_side, pad_to_multiple_of, features, batch } of cases) {
    const collator = new DataCollatorForSeq2Seq({ tokenizer: { ...tokenizer, padding_side }, pad_to_multiple_of });
    assert.deepEqual(collator.collate(features), batch);
  }
  const collator = new DataCollatorForSeq2Seq({ tokenizer });
  assert.throws(() => collator.collate([{ input_ids: [1] }]), /row 0 of the batch has no labels/);
});

interface CompletionFigures {
  row_names: string[];
  cases: {
    name: string;
    padding_side: "left" | "right";
    response_template: number[];
    instruction_template: number[] | null;
    features: TokenRow[];
    batch: Batch;
  }[];
}

test("completion-only loss labels the turns that TRL's collator labels", async () => {
  const loaded = await AutoTokenizer.fromPretrained(referencePath("gemma2-tiny/tiny-gemma2"));
  const figures = referenceJson<CompletionFigures>("data/completion-only.json");
  const silent = (labels: number[]) => labels.every((label) => label === -100);
  for (const { name, padding_side, features, batch, ...templates } of figures.cases) {
    loaded.padding_side = padding_side;
    const warnings: string[] = [];
    const on_warning = (message: string) => warnings.push(message);
    const byIds = new DataCollatorForCompletionOnlyLM({
      tokenizer: loaded,
      pad_to_multiple_of: 8,
      on_warning,
      ...templates,
    });
    const ours = byIds.collate(features);
    for (const [i, row] of figures.row_names.entries()) {
      assert.deepEqual(ours.labels[i], batch.labels[i], `${name}, ${padding_side}: ${row}`);
    }
    assert.deepEqual(ours, batch);
    assert.ok(batch.labels.some(silent));
    assert.match(warnings.join("\n"), /a row without the response_template carries no loss/);

    const byText = new DataCollatorForCompletionOnlyLM({
      tokenizer: loaded,
      response_template: "<start_of_turn>model\n",
      instruction_template: templates.instruction_template && "<start_of_turn>user\n",
      pad_to_multiple_of: 8,
      on_warning: () => {},
    });
    assert.deepEqual(byText.collate(features), batch);
  }
});

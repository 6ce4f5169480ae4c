import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DataCollatorWithFlattening,
  Dataset,
  type FlatBatch,
  type PackedRow,
  type PackingStrategy,
  packDataset,
  type TokenRow,
} from "kaisetsu";
import { referenceJson } from "./reference.js";

interface Figures {
  cases: { seq_length: number; strategy: PackingStrategy; features: TokenRow[]; packed: PackedRow[] }[];
  flattening: { features: TokenRow[]; batch: FlatBatch }[];
  padding_free: { features: PackedRow[]; pad_to_multiple_of: number | null; batch: FlatBatch }[];
  thousand: { lengths: number[]; seq_length: number; first_ids: number[]; seq_lengths: number[][] };
}

const figures = referenceJson<Figures>("data/packing.json");

test("packed rows are TRL's, for every strategy", () => {
  assert.equal(figures.cases.length, 12);
  for (const { seq_length, strategy, features, packed } of figures.cases) {
    const ours = packDataset(Dataset.fromArray(features), { seq_length, strategy });
    assert.deepEqual(ours.toArray(), packed, `${strategy}, ${features.length} rows into ${seq_length}`);
  }
});

test("long datasets are packed a thousand rows at a time", () => {
  const { lengths, seq_length, first_ids, seq_lengths } = figures.thousand;
  const rows = lengths.map((length, i) => ({ input_ids: new Array<number>(length).fill(i) }));
  const ours = packDataset(Dataset.fromArray<TokenRow>(rows), { seq_length }).toArray();
  assert.deepEqual(
    ours.map((row) => row.input_ids[0]),
    first_ids,
  );
  assert.deepEqual(
    ours.map((row) => row.seq_lengths),
    seq_lengths,
  );
});

test("flattened batches are those of transformers, and of TRL for packed rows", () => {
  for (const { features, batch } of figures.flattening) {
    assert.deepEqual(new DataCollatorWithFlattening().collate(features), batch);
  }
  for (const { features, pad_to_multiple_of, batch } of figures.padding_free) {
    const collator = new DataCollatorWithFlattening({ pad_to_multiple_of, pad_token_id: 0 });
    assert.deepEqual(collator.collate(features), batch);
  }
});

test("rows that cannot be packed or flattened are refused", () => {
  const rows = (...list: object[]) => Dataset.fromArray(list as TokenRow[]);
  const fine = { input_ids: [1, 2], labels: [1, 2] };
  assert.throws(() => packDataset(rows(fine), { seq_length: 0 }), /seq_length must be a positive/);
  assert.throws(
    () => packDataset(rows(fine), { seq_length: 4, strategy: "ffd" as PackingStrategy }),
    /unknown packing/,
  );
  assert.throws(() => packDataset(rows({ text: "a" }), { seq_length: 4 }), /every row needs input_ids/);
  assert.throws(
    () => packDataset(rows(fine, { input_ids: [1], labels: [] }), { seq_length: 4 }),
    /row 1: labels and input_ids/,
  );
  const flattening = new DataCollatorWithFlattening();
  assert.throws(() => flattening.collate([]), /empty batch/);
  assert.throws(() => flattening.collate([{ input_ids: [1, 2], seq_lengths: [1] }]), /do not add up/);
  assert.throws(() => new DataCollatorWithFlattening({ pad_to_multiple_of: 8 }), /needs pad_token_id/);
});

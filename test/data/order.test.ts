import assert from "node:assert/strict";
import { test } from "node:test";
import { epochOrder, permutation, TorchGenerator } from "kaisetsu";
import { referenceJson } from "./reference.js";

interface Orders {
  permutations: {
    n: number;
    seed: number;
    numpy_legacy: number[];
    numpy_default_rng: number[];
    torch_randperm: number[];
  }[];
  trainer: { seed: number; data_seed: number | null; rows: number; epochs: number; order: number[] }[];
}

const orders = referenceJson<Orders>("gemma2-tiny/orders.json");

for (const [generator, column] of [
  ["numpy", "numpy_legacy"],
  ["numpy_default_rng", "numpy_default_rng"],
  ["torch", "torch_randperm"],
] as const) {
  test(`permutation equals ${generator}'s for every recorded length and seed`, () => {
    assert.ok(orders.permutations.length >= 20);
    for (const row of orders.permutations) {
      const order = permutation(row.n, { seed: row.seed, generator });
      assert.equal(new Set(order).size, row.n);
      // Of long orders the figure keeps the first 64.
      assert.deepEqual(order.slice(0, row[column].length), row[column], `n ${row.n}, seed ${row.seed}`);
    }
  });
}

test("the epoch order is the order in which Trainer took its rows", () => {
  for (const { seed, data_seed, rows, epochs, order } of orders.trainer) {
    const ours = Array.from({ length: epochs }, (_, epoch) => epochOrder(rows, { seed, data_seed, epoch }));
    assert.deepEqual(ours.flat(), order, `seed ${seed}, data_seed ${data_seed}`);
  }
});

test("a torch generator goes on where it stopped", () => {
  const whole = new TorchGenerator(3).uniform(8, -1, 1);
  const generator = new TorchGenerator(3);
  assert.deepEqual([...generator.uniform(3, -1, 1), ...generator.uniform(5, -1, 1)], [...whole]);
  assert.ok(whole.every((value) => value >= -1 && value < 1));
});

test("a seed or a length that means nothing is refused", () => {
  for (const seed of [-1, 1.5, Number.NaN]) {
    for (const generator of ["numpy", "numpy_default_rng", "torch"] as const) {
      assert.throws(() => permutation(4, { seed, generator }), /seed must be a non-negative integer/);
    }
  }
  assert.throws(() => permutation(4, { seed: 2 ** 32, generator: "numpy" }), /up to 2\^32 - 1/);
  assert.throws(() => permutation(-1, { seed: 0, generator: "torch" }), RangeError);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { epochOrder, lengthGroupedEpochOrder, lengthGroupedOrder, permutation, TorchGenerator } from "kaisetsu";
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

interface GroupedRun {
  seed: number;
  data_seed: number | null;
  per_device_train_batch_size: number;
  gradient_accumulation_steps: number;
  epochs: number;
  evaluated_each_epoch: boolean;
  train_order: number[];
  eval_batch_size: number;
  eval_rows: number;
  eval_order: number[];
}

test("grouping by length equals transformers', for any length and in Trainer's own epochs and evaluations", () => {
  const { lengths, runs, plain } = referenceJson<{
    lengths: number[];
    runs: GroupedRun[];
    plain: { seed: number; batch_size: number; lengths: number[]; order: number[] }[];
  }>("data/group-by-length.json");
  for (const { seed, batch_size, lengths: rows, order } of plain) {
    assert.deepEqual(lengthGroupedOrder(rows, { batch_size, generator: new TorchGenerator(seed) }), order);
  }
  for (const run of runs) {
    const batch_size = run.per_device_train_batch_size * run.gradient_accumulation_steps;
    const train = Array.from({ length: run.epochs }, (_, epoch) =>
      lengthGroupedEpochOrder(lengths, {
        batch_size,
        seed: run.seed,
        epoch,
        evaluations: run.evaluated_each_epoch ? epoch : 0,
      }),
    );
    assert.deepEqual(train.flat(), run.train_order, `seed ${run.seed}, batch ${batch_size}`);
    const evaluation = () =>
      lengthGroupedOrder(lengths.slice(0, run.eval_rows), {
        batch_size: run.eval_batch_size,
        generator: new TorchGenerator(run.data_seed ?? run.seed),
      });
    const evaluations = run.evaluated_each_epoch ? run.epochs : 0;
    assert.deepEqual(Array.from({ length: evaluations }, evaluation).flat(), run.eval_order);
  }
  assert.deepEqual(lengthGroupedOrder([], { batch_size: 4, generator: new TorchGenerator(0) }), []);
});

interface TorchDraws {
  seed: number;
  uniform: number[];
  normal_3: number[];
  normal_16: number[];
  normal_21: number[];
  bernoulli: number[];
  randint_271: number[];
  randn_4: number[];
  kaiming_uniform_3x10: number[];
  uniform_last: number[];
}

test("one generator's draws of every kind, in turn, are torch's", () => {
  const close = (ours: Float32Array, theirs: number[], tolerance: number) => {
    assert.equal(ours.length, theirs.length);
    for (const [i, value] of theirs.entries())
      assert.ok(Math.abs(ours[i]! - value) <= tolerance, `${ours[i]} ${value}`);
  };
  for (const figure of referenceJson<TorchDraws[]>("data/torch-random.json")) {
    const generator = new TorchGenerator(figure.seed);
    assert.deepEqual([...generator.uniform(5, -0.125, 0.125)], figure.uniform);
    assert.deepEqual([...generator.normal(3)], figure.normal_3);
    close(generator.normal(16, 0, 0.25), figure.normal_16, 5e-7);
    close(generator.normal(21, 1, 2), figure.normal_21, 4e-6);
    assert.deepEqual(generator.bernoulli(12, () => 0.15).map(Number), figure.bernoulli);
    assert.deepEqual(generator.randint(12, 271), figure.randint_271);
    assert.deepEqual([...generator.normal(4)], figure.randn_4);
    assert.deepEqual([...generator.kaimingUniform(3, 10)], figure.kaiming_uniform_3x10);
    assert.deepEqual([...generator.uniform(2)], figure.uniform_last);
    const skipped = new TorchGenerator(figure.seed);
    skipped.skip(3);
    assert.deepEqual([...skipped.uniform(2, -0.125, 0.125)], figure.uniform.slice(3));
  }
});

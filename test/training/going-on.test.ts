/** What a resume is told before it goes on: changed settings, Python's checkpoints, memory, disk. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, mock, test } from "node:test";
import { checkpointGuard, type TrainingArgumentsOptions } from "../../src/index.js";
import { changedSettings } from "../../src/training/run/changed-settings.js";
import { estimateMemory } from "../../src/training/run/memory.js";
import { freshDir, makeTrainer } from "./tiny.js";

const folders: string[] = [];
const dir = freshDir(folders);
const settings: TrainingArgumentsOptions = { output_dir: dir, max_steps: 2, save_steps: 2, eval_strategy: "no" };
before(async () => {
  const trainer = await makeTrainer({ args: settings, dropout: 0.1 });
  await trainer.train();
  trainer.model.dispose();
});
after(() => {
  for (const one of folders) rmSync(one, { recursive: true });
});

const changes: [string, Parameters<typeof makeTrainer>[0], RegExp | undefined, RegExp | undefined][] = [
  ["nothing", { args: settings, dropout: 0.1 }, undefined, undefined],
  ["the seed", { args: { ...settings, seed: 7 }, dropout: 0.1 }, /^seed: 42 -> 7$/, undefined],
  ["the adapter's dropout", { args: settings, dropout: 0.2 }, /^lora_dropout: 0.1 -> 0.2$/, undefined],
  ["rows left out", { args: settings, dropout: 0.1, n_train: 9 }, /^training rows: 10 -> 9$/, undefined],
  [
    "more steps of a linear schedule",
    { args: { ...settings, max_steps: 4 }, dropout: 0.1 },
    /^max_steps: 2 -> 4$/,
    undefined,
  ],
  [
    "how often it logs",
    { args: { ...settings, logging_steps: 7 }, dropout: 0.1 },
    undefined,
    /logging_steps: .* -> 7 \(the checkpoint's own/,
  ],
];
for (const [what, options, breaking, harmless] of changes) {
  test(`changed since the checkpoint: ${what}`, async () => {
    const trainer = await makeTrainer(options);
    const found = await changedSettings(join(dir, "checkpoint-2"), trainer);
    trainer.model.dispose();
    assert.equal(found.breaking.length, breaking ? 1 : 0, found.breaking.join());
    if (breaking) assert.match(found.breaking[0]!, breaking);
    assert.equal(found.harmless.length, harmless ? 1 : 0, found.harmless.join());
    if (harmless) assert.match(found.harmless[0]!, harmless);
  });
}

test("the guard names changed settings, in both languages", async () => {
  const trainer = await makeTrainer({ args: { ...settings, max_steps: 4 }, dropout: 0.1 });
  const { action, message } = await checkpointGuard({ args: trainer.args });
  trainer.model.dispose();
  assert.equal(action, "resume");
  assert.match(message.en, /settings have changed since \(max_steps: 2 -> 4\).*allow_changed_arguments: true/);
  assert.match(message.ja, /設定が変わっているため（max_steps: 2 -> 4）/);
});

test("a checkpoint that Python's Trainer wrote: weights and state are read, and what could not be read is named", async () => {
  const place = freshDir(folders);
  const first = await makeTrainer({ args: { ...settings, output_dir: place, max_steps: 4 }, dropout: 0.1 });
  await first.train();
  first.model.dispose();
  rmSync(join(place, "trainer_state.json"));
  rmSync(join(place, "checkpoint-4"), { recursive: true });
  const checkpoint = join(place, "checkpoint-2");
  for (const name of [
    "manifest.json",
    "optimizer.safetensors",
    "scheduler.json",
    "rng_state.json",
    "bookkeeping.json",
    "training_args.json",
  ]) {
    rmSync(join(checkpoint, name));
  }
  for (const name of ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"])
    writeFileSync(join(checkpoint, name), "pickle");
  const state = readFileSync(join(checkpoint, "trainer_state.json"), "utf8");
  writeFileSync(join(checkpoint, "trainer_state.json"), state.replace('"best_metric": null', '"best_metric": NaN'));
  const said = mock.method(console, "error", () => {});
  const second = await makeTrainer({ args: { ...settings, output_dir: place, max_steps: 4 }, dropout: 0.1 });
  const output = await second.train({ resume_from_checkpoint: true });
  second.model.dispose();
  said.mock.restore();
  assert.equal(output.global_step, 4);
  const text = said.mock.calls.map(({ arguments: [line] }) => line).join("\n");
  assert.match(
    text,
    /written by Python: .*optimizer\.pt, rng_state\.pth, scheduler\.pt, training_args\.bin cannot be read/,
  );
});

test("memory: an estimate that grows with batch and length, and shrinks with checkpointing", async () => {
  const trainer = await makeTrainer({ args: settings, dropout: 0.1 });
  const estimate = (batch: number, length: number, checkpointing = false) =>
    estimateMemory(trainer.model, batch, length, checkpointing).total;
  assert.ok(estimate(2, 64) > estimate(1, 64) && estimate(1, 128) > estimate(1, 64));
  assert.ok(estimate(4, 64, true) < estimate(4, 64));
  const available = mock.method(process, "availableMemory", () => 1000);
  const said = mock.method(console, "error", () => {});
  await trainer.train();
  available.mock.restore();
  said.mock.restore();
  trainer.model.dispose();
  const text = said.mock.calls.map(({ arguments: [line] }) => line).join("\n");
  assert.match(
    text,
    /will probably not fit into memory: it needs about .* beyond the model .*Lower per_device_train_batch_size/,
  );
});

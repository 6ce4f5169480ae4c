import assert from "node:assert/strict";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkpointGuard } from "../../src/index.js";
import { referenceJson, referencePath } from "../data/reference.js";
import { checkpointNames, freshDir, makeTrainer } from "./tiny.js";

const folders: string[] = [];
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

test("a checkpoint that Python's Trainer wrote goes on here: weights, step and history, but no optimizer", async (context) => {
  const output_dir = freshDir(folders);
  const checkpoint = join(output_dir, "checkpoint-2");
  cpSync(referencePath("gemma2-tiny/python-checkpoint"), checkpoint, { recursive: true });
  const files = readdirSync(checkpoint);
  const trainer = await makeTrainer({
    args: {
      output_dir,
      seed: 0,
      per_device_train_batch_size: 2,
      gradient_accumulation_steps: 2,
      max_steps: 3,
      logging_steps: 1,
      learning_rate: 5e-3,
      lr_scheduler_type: "constant",
      train_sampling_strategy: "sequential",
    },
  });
  const guard = await checkpointGuard({ args: trainer.args });
  assert.equal(guard.action, "resume");
  const said = context.mock.method(console, "error", () => {});
  const output = await trainer.train({ resume_from_checkpoint: guard.checkpoint });
  assert.equal(output.global_step, 3);
  const told = said.mock.calls.map(({ arguments: [line] }) => String(line)).join("\n");
  assert.match(told, /checkpoint-2: .*optimizer/);

  const history = trainer.state.log_history;
  const python = referenceJson<Record<string, number>[]>("gemma2-tiny/python-checkpoint/log_history.json");
  assert.ok(Number.isNaN(history[0]!.note), "Python writes a bare NaN");
  assert.equal(history[1]!.loss, python[1]!.loss);
  // The third loss shows that the weights are Python's; it is taken before the first update here.
  assert.ok(Math.abs(history[2]!.loss! - python[2]!.loss!) < 1e-4, `${history[2]!.loss}, not ${python[2]!.loss}`);
  assert.deepEqual(checkpointNames(output_dir), ["checkpoint-2", "checkpoint-3"]);
  assert.deepEqual(readdirSync(checkpoint), files, "Python's checkpoint is as it was");
  trainer.model.dispose();
});

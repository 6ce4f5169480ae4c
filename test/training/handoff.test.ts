import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Dataset, HandoffError, handOff, LoraConfig, saveTrainingConfig, TrainingArguments } from "../../src/index.js";
import { readSafetensors } from "../../src/model/files/safetensors.js";
import { referenceJson, referencePath } from "../data/reference.js";
import { lacks, python } from "../jupyter/python.js";
import { freshDir } from "./tiny.js";

const missing = lacks("torch", "transformers", "peft");
const folders: string[] = [];
let work: string;
let data: string;
let run: string;
before(async () => {
  work = freshDir(folders);
  run = join(work, "run");
  data = join(work, "dialogues.jsonl");
  // 16 rows to train on: every epoch has whole steps on two processes, too.
  const rows = referenceJson<{ messages: unknown }[]>("gemma2-tiny/rows.json").slice(0, 20);
  writeFileSync(data, rows.map(({ messages }) => JSON.stringify({ messages })).join("\n"));
  const config = await saveTrainingConfig(join(work, "config"), {
    model_name: referencePath("gemma2-tiny/tiny-gemma2"),
    training_args: new TrainingArguments({
      ...{ output_dir: run, max_steps: 7, seed: 7, per_device_train_batch_size: 2, gradient_accumulation_steps: 4 },
      ...{ learning_rate: 5e-3, weight_decay: 0.06, max_grad_norm: 0.5, lr_scheduler_type: "cosine", warmup_steps: 2 },
      ...{ logging_steps: 1, eval_strategy: "steps", eval_steps: 3, save_steps: 3, disable_tqdm: true },
      ...{ load_best_model_at_end: true, metric_for_best_model: "combined_score" },
    }),
    lora_config: new LoraConfig({
      r: 4,
      use_dora: true,
      target_modules: ["q_proj", "down_proj"],
      task_type: "CAUSAL_LM",
    }),
  });
  const { status, stderr } = kaisetsu("train", config, "--data", data);
  assert.equal(status, 0, stderr);
});
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

function kaisetsu(...args: string[]): { status: number | null; stderr: string } {
  const main = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
}

test("kaisetsu handoff writes a folder in which Python finds everything", () => {
  const output = join(work, "files");
  const { status, stderr } = kaisetsu("handoff", run, "--data", data, "-o", output);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /goes on after step 7 .*torchrun/);
  const state = JSON.parse(readFileSync(join(output, "checkpoint-7", "trainer_state.json"), "utf8"));
  const best = basename(state.best_model_checkpoint);
  assert.equal(state.best_model_checkpoint, `./${best}`);
  const names = ["eval.jsonl", "model", "state", "train.jsonl", "train.py", "training_config.json"];
  assert.deepEqual(readdirSync(output).sort(), [...new Set(["checkpoint-7", best]), ...names].sort());
  const config = JSON.parse(readFileSync(join(output, "training_config.json"), "utf8"));
  assert.equal(config.model_name, "model");
  assert.ok(existsSync(join(output, "model", "model.safetensors")));
  const lines = (name: string) =>
    readFileSync(join(output, name), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  assert.equal(lines("train.jsonl").length, 16);
  assert.equal(lines("eval.jsonl").length, 4);
  assert.ok(Array.isArray(lines("train.jsonl")[0].input_ids));
});

test("rows of another run, a folder in use and a run without checkpoints are refused, and nothing is left", async () => {
  const rows = Dataset.fromArray([{ input_ids: [2, 3] }]);
  const refused = (options: Parameters<typeof handOff>[1], message: RegExp, dir = run) =>
    assert.rejects(handOff(dir, options), (error) => error instanceof HandoffError && message.test(error.message));
  await refused({ output: join(work, "a"), train_dataset: rows }, /trains on 16 rows, but 1/);
  const others = Dataset.fromArray(Array.from({ length: 16 }, () => ({ input_ids: [2, 3] })));
  await refused({ output: join(work, "a"), train_dataset: others }, /not those that the run trains on/);
  await refused({ output: run, train_dataset: rows }, /not empty/);
  await refused({ output: join(work, "a"), train_dataset: rows }, /no whole checkpoint/, join(work, "config"));
  assert.deepEqual(
    readdirSync(work).filter((name) => name.startsWith("a")),
    [],
  );
  const shorter = kaisetsu("handoff", run, "--data", data, "-o", join(work, "b"), "--max-length", "5");
  assert.equal(shorter.status, 2);
  assert.match(shorter.stderr, /not those that the run trains on/);
});

test("two processes of transformers and PEFT go on from step 3 as kaisetsu did", {
  skip: missing ?? false,
}, async () => {
  const output = join(work, "python");
  const handed = kaisetsu("handoff", run, "--data", data, "-o", output, "--checkpoint", join(run, "checkpoint-3"));
  assert.equal(handed.status, 0, handed.stderr);
  const launch = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "train.py"];
  const env = { ...process.env, OMP_NUM_THREADS: "1", CUDA_VISIBLE_DEVICES: "" };
  const { status, stderr } = spawnSync(python, launch, { cwd: output, encoding: "utf8", env });
  assert.equal(status, 0, stderr);

  const history = (dir: string) =>
    JSON.parse(readFileSync(join(dir, "checkpoint-7", "trainer_state.json"), "utf8")).log_history as Record<
      string,
      number
    >[];
  const [ours, theirs] = [history(run), history(output)];
  assert.equal(theirs.length, ours.length);
  for (const [i, entry] of ours.entries()) {
    for (const name of ["loss", "grad_norm", "learning_rate", "eval_loss", "epoch", "step"]) {
      if (entry[name] === undefined) continue;
      const off = Math.abs(entry[name] - theirs[i]![name]!);
      assert.ok(off <= 1e-4 * Math.abs(entry[name]), `${name} of entry ${i}: ${theirs[i]![name]}, not ${entry[name]}`);
    }
  }
  const adapter = (dir: string) => readSafetensors(join(dir, "checkpoint-7", "adapter_model.safetensors"));
  const expected = await adapter(run);
  for (const [name, { values }] of await adapter(output)) {
    const own = expected.get(name)!.values;
    const off = Math.hypot(...Array.from(values, (value, i) => value - own[i]!)) / Math.hypot(...own);
    assert.ok(off < 1e-3, `${name} is ${off} off`);
  }
});

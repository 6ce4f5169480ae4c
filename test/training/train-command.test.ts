import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  AutoModelForCausalLM,
  AutoTokenizer,
  BitsAndBytesConfig,
  DataCollatorForLanguageModeling,
  Dataset,
  getPeftModel,
  LoraConfig,
  type LoraConfigFields,
  saveTrainingConfig,
  Trainer,
  TrainingArguments,
  type TrainingArgumentsOptions,
  tokenizeDialogues,
  useEngine,
} from "../../src/index.js";
import { referenceJson, referencePath } from "../data/reference.js";
import { freshDir } from "./tiny.js";

const folders: string[] = [];
let work: string;
let data: string;
before(() => {
  work = freshDir(folders);
  data = join(work, "dialogues.jsonl");
  const rows = referenceJson<{ messages: unknown }[]>("gemma2-tiny/rows.json");
  writeFileSync(data, rows.map(({ messages }) => JSON.stringify({ messages })).join("\n"));
});
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

async function configFile(name: string, more: TrainingArgumentsOptions = {}): Promise<string> {
  return saveTrainingConfig(join(work, name), {
    model_name: referencePath("gemma2-tiny/tiny-gemma2"),
    training_args: new TrainingArguments({ output_dir: join(work, name), max_steps: 2, logging_steps: 1, ...more }),
    lora_config: new LoraConfig({ r: 4, target_modules: ["q_proj", "v_proj"], task_type: "CAUSAL_LM" }),
    bnb_config: new BitsAndBytesConfig({ load_in_4bit: true, bnb_4bit_quant_type: "nf4" }),
  });
}

interface ConfigFile {
  model_name: string;
  training_args: TrainingArgumentsOptions;
  lora_config: Partial<LoraConfigFields>;
  bnb_config: Record<string, string>;
}

/** What the tutorial's cells do, with the settings of a file. @returns the adapter's bytes */
async function ownRun(settings: ConfigFile): Promise<Buffer> {
  const { model_name, training_args, lora_config, bnb_config } = settings;
  await useEngine("auto");
  const args = new TrainingArguments({ ...training_args, output_dir: join(work, "own") });
  const tokenizer = await AutoTokenizer.fromPretrained(model_name);
  const rows = tokenizeDialogues(Dataset.fromJsonl(data), tokenizer, { max_length: 512 });
  const split = rows.trainTestSplit({ test_size: 0.2, max_test_size: 50, seed: args.seed });
  const quantization_config = new BitsAndBytesConfig(bnb_config);
  const base = await AutoModelForCausalLM.fromPretrained(model_name, { quantization_config });
  const model = getPeftModel(base, new LoraConfig(lora_config), { seed: args.seed });
  const data_collator = new DataCollatorForLanguageModeling({ tokenizer, mlm: false, pad_to_multiple_of: 8 });
  const trainer = new Trainer({ model, args, train_dataset: split.train, eval_dataset: split.test, data_collator });
  await trainer.train();
  await trainer.saveModel();
  model.dispose();
  return readFileSync(join(args.output_dir, "adapter_model.safetensors"));
}

function train(...args: string[]): { status: number | null; stderr: string } {
  const main = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
  return spawnSync(process.execPath, [main, "train", ...args], { encoding: "utf8" });
}

test("kaisetsu train repeats a run from its training_config.json, and protects the result", async () => {
  const config = await configFile("first", { seed: 5, learning_rate: 1e-2 });
  const output = join(work, "again");
  const first = train(config, "--data", data, "--output", output);
  assert.equal(first.status, 0, first.stderr);
  for (const name of ["adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "training_config.json"]) {
    assert.ok(existsSync(join(output, name)), name);
  }
  const written = JSON.parse(readFileSync(join(output, "training_config.json"), "utf8"));
  const given = JSON.parse(readFileSync(config, "utf8"));
  written.training_args.output_dir = given.training_args.output_dir;
  assert.deepEqual(written.training_args, given.training_args);
  assert.deepEqual(written.bnb_config, given.bnb_config);
  assert.deepEqual(written.lora_config.target_modules, given.lora_config.target_modules);

  // The same steps in a program of one's own give the same bits.
  const own = await ownRun(given);
  assert.deepEqual(readFileSync(join(output, "adapter_model.safetensors")), own);

  const second = train(config, "--data", data, "--output", output);
  assert.equal(second.status, 0);
  assert.match(second.stderr, /already complete/);
});

test("what cannot be used ends with code 2 and names it", async () => {
  const config = await configFile("bad");
  const missing = train(config, "--data", join(work, "nothing.jsonl"));
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /nothing\.jsonl/);

  const broken = join(work, "broken.jsonl");
  writeFileSync(broken, '{"messages": [{"role": "user", "content": "a"}, {"role": "robot", "content": "b"}]}\n');
  const role = train(config, "--data", broken);
  assert.equal(role.status, 2);
  assert.match(role.stderr, /broken\.jsonl:1.*robot/);

  const text = readFileSync(config, "utf8");
  const nonsense = join(work, "nonsense.json");
  writeFileSync(nonsense, text.replace('"eval_strategy": "no"', '"eval_strategy": "never"'));
  assert.match(train(nonsense, "--data", data).stderr, /"never" is not a valid eval_strategy/);
  writeFileSync(nonsense, text.slice(0, 100));
  assert.match(train(nonsense, "--data", data).stderr, /nonsense\.json cannot be read/);
});

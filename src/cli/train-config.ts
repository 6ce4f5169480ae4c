import { readFileSync } from "node:fs";
import {
  AutoModelForCausalLM,
  AutoTokenizer,
  BitsAndBytesConfig,
  type CausalLM,
  checkpointGuard,
  DataCollatorForLanguageModeling,
  type EngineName,
  getPeftModel,
  LoraConfig,
  type LoraConfigFields,
  saveTrainingConfig,
  socraticMetrics,
  Trainer,
  TrainingArguments,
  type TrainingArgumentsOptions,
  TrainingInterruptedError,
  useEngine,
} from "../index.js";
import { dialogueSplit } from "./dialogue-split.js";

export interface TrainFromConfigOptions {
  data: string;
  model?: string;
  output?: string;
  maxLength: number;
  overwrite?: boolean;
  engine: EngineName;
}

interface TrainingConfigFile {
  model_name: string;
  training_args: TrainingArgumentsOptions;
  lora_config: Partial<LoraConfigFields> | null;
  bnb_config: Record<string, unknown> | null;
}

/** @returns the exit code */
export async function trainFromConfig(configPath: string, options: TrainFromConfigOptions): Promise<number> {
  let prepared: Awaited<ReturnType<typeof prepare>>;
  try {
    prepared = await prepare(configPath, options);
  } catch (error) {
    console.error(`kaisetsu train: ${(error as Error).message}`);
    return 2;
  }
  const { trainer, guard } = prepared;
  console.error(`kaisetsu train: ${guard.reason}`);
  if (guard.action === "stop") return guard.found === "finished" ? 0 : 2;
  try {
    await trainer.train({ resume_from_checkpoint: guard.checkpoint });
    await trainer.saveModel();
    await saveTrainingConfig(trainer.args.output_dir, { ...prepared.config, training_args: trainer.args });
    console.error(`kaisetsu train: done; the result is in ${trainer.args.output_dir}`);
    return 0;
  } catch (error) {
    console.error(`kaisetsu train: ${(error as Error).message}`);
    if (!(error instanceof TrainingInterruptedError)) return 1;
    return error.signal === "SIGTERM" ? 143 : 130;
  }
}

async function prepare(configPath: string, options: TrainFromConfigOptions) {
  const config = readConfig(configPath);
  const output_dir = options.output ?? config.training_args.output_dir;
  const args = new TrainingArguments({ ...config.training_args, output_dir });
  const model_name = options.model ?? config.model_name;
  const tokenizer = await AutoTokenizer.fromPretrained(model_name);
  const { train, test } = dialogueSplit(options.data, tokenizer, { max_length: options.maxLength, seed: args.seed });
  const guard = await checkpointGuard({ args, on_conflict: options.overwrite ? "overwrite" : "ask" });
  await useEngine(options.engine);
  const trainer = new Trainer({
    model: await loadModel(model_name, config, args.seed),
    args,
    train_dataset: train,
    eval_dataset: test,
    data_collator: new DataCollatorForLanguageModeling({ tokenizer, mlm: false, pad_to_multiple_of: 8 }),
    compute_metrics: socraticMetrics(tokenizer),
    processing_class: tokenizer,
  });
  return { trainer, guard, config: { ...config, model_name } };
}

async function loadModel(
  name: string,
  { lora_config, bnb_config }: TrainingConfigFile,
  seed: number,
): Promise<CausalLM> {
  const quantization_config = bnb_config?.load_in_4bit ? new BitsAndBytesConfig(bnb_config) : undefined;
  const base = await AutoModelForCausalLM.fromPretrained(name, { quantization_config });
  return lora_config ? getPeftModel(base, new LoraConfig(lora_config), { seed }) : base;
}

function readConfig(path: string): TrainingConfigFile {
  let read: Partial<TrainingConfigFile>;
  try {
    read = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`${path} cannot be read: ${(error as Error).message}`);
  }
  for (const key of ["model_name", "training_args"] as const) {
    if (!read[key]) throw new Error(`${path} has no ${key}; saveTrainingConfig writes such a file`);
  }
  const { model_name, training_args, lora_config, bnb_config } = read as TrainingConfigFile;
  return { model_name, training_args, lora_config: lora_config ?? null, bnb_config: bnb_config ?? null };
}

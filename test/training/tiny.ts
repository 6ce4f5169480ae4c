import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AutoModelForCausalLM,
  AutoTokenizer,
  type Collator,
  type ComputeMetrics,
  DataCollatorForLanguageModeling,
  Dataset,
  getPeftModel,
  LoraConfig,
  PeftModel,
  type TokenRow,
  Trainer,
  type TrainerCallback,
  TrainingArguments,
  type TrainingArgumentsOptions,
  useEngine,
} from "../../src/index.js";
import { referenceJson, referencePath } from "../data/reference.js";

/** A trainer for the reference's tiny Gemma-2 with its first adapter, on the first rows of rows.json. */
export async function makeTrainer(options: {
  args: TrainingArgumentsOptions;
  n_train?: number;
  n_eval?: number;
  /** LoRA dropout; the reference's adapter has none. */
  dropout?: number;
  /** Default: padding to a multiple of 8. */
  collator?: Collator;
  /** The collator's batch of this number, from 0, has labels of -100 only. */
  mask_labels_of_batch?: number;
  compute_metrics?: ComputeMetrics;
  callbacks?: TrainerCallback[];
}): Promise<Trainer> {
  await useEngine("auto");
  const tokenizer = await AutoTokenizer.fromPretrained(referencePath("gemma2-tiny/tiny-gemma2"));
  const rows = Dataset.fromArray(referenceJson<TokenRow[]>("gemma2-tiny/rows.json"));
  const first = (n: number) => rows.select(Array.from({ length: n }, (_, i) => i));
  const base = await AutoModelForCausalLM.fromPretrained(referencePath("gemma2-tiny/tiny-gemma2"));
  return new Trainer({
    model: options.dropout
      ? await getPeftModel(
          base,
          new LoraConfig({ r: 8, target_modules: ["q_proj", "v_proj"], lora_dropout: options.dropout }),
        )
      : await PeftModel.fromPretrained(base, referencePath("gemma2-tiny/adapter-initial")),
    args: new TrainingArguments({ disable_tqdm: true, ...options.args }),
    train_dataset: first(options.n_train ?? 10),
    eval_dataset: options.n_eval === 0 ? null : first(options.n_eval ?? 4),
    data_collator: masking(
      options.collator ?? new DataCollatorForLanguageModeling({ tokenizer, mlm: false, pad_to_multiple_of: 8 }),
      options.mask_labels_of_batch,
    ),
    processing_class: tokenizer,
    compute_metrics: options.compute_metrics,
    callbacks: options.callbacks,
  });
}

function masking(collator: Collator, which: number | undefined): Collator {
  let batches = 0;
  return {
    collate(rows) {
      const batch = collator.collate(rows);
      if (batches++ !== which) return batch;
      return { ...batch, labels: batch.labels.map((row) => row.map(() => -100)) };
    },
  };
}

export function freshDir(remember: string[]): string {
  const dir = mkdtempSync(join(tmpdir(), "kaisetsu-training-"));
  remember.push(dir);
  return dir;
}

/** `checkpoint-…` folders, by number. */
export function checkpointNames(dir: string): string[] {
  const number = (name: string) => Number(name.split("-")[1]);
  return readdirSync(dir)
    .filter((name) => name.startsWith("checkpoint-"))
    .sort((a, b) => number(a) - number(b));
}

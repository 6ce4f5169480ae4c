import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findNewestCheckpoint } from "../checkpoint/find.js";
import { AutoTokenizer, handOff, TrainingArguments } from "../index.js";
import { dialogueSplit } from "./dialogue-split.js";

export interface HandoffCommandOptions {
  data: string;
  output: string;
  checkpoint?: string;
  maxLength: number;
}

/** @returns the exit code */
export async function handOffRun(run: string, options: HandoffCommandOptions): Promise<number> {
  try {
    const checkpoint = options.checkpoint ?? (await findNewestCheckpoint(run)).checkpoint?.dir;
    if (!checkpoint) throw new Error(`${run} has no whole checkpoint to go on from`);
    const { train, test } = await splitOf(checkpoint, options);
    const handoff = await handOff(run, {
      output: options.output,
      checkpoint,
      train_dataset: train,
      eval_dataset: test,
    });
    console.error(
      `kaisetsu handoff: ${options.output} goes on after step ${handoff.global_step} (${handoff.checkpoint}), with the base ` +
        `model ${handoff.model_name}. There: torchrun --nproc_per_node 2 train.py`,
    );
    return 0;
  } catch (error) {
    console.error(`kaisetsu handoff: ${(error as Error).message}`);
    return 2;
  }
}

async function splitOf(checkpoint: string, { data, maxLength }: HandoffCommandOptions) {
  const path = join(checkpoint, "training_args.json");
  if (!existsSync(path)) throw new Error(`${path} is missing: ${checkpoint} is no checkpoint of kaisetsu`);
  const args = new TrainingArguments(JSON.parse(readFileSync(path, "utf8")));
  const tokenizer = await AutoTokenizer.fromPretrained(checkpoint);
  return dialogueSplit(data, tokenizer, { max_length: maxLength, seed: args.seed });
}

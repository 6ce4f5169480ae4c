import { Command } from "commander";
import type { HandoffCommandOptions } from "./handoff-run.js";
import { positiveInteger } from "./positive-integer.js";

/** `kaisetsu handoff`: a run that outgrows this machine goes on with transformers and PEFT on a bigger one. */
export function handoffCommand(): Command {
  return new Command("handoff")
    .description("write what transformers and PEFT need to go on with a training run, from the same state")
    .argument("<run>", "the run's output_dir, with its checkpoints")
    .requiredOption("--data <file>", "the dialogues that the run trains on, as JSONL or one JSON list")
    .requiredOption("-o, --output <folder>", "where to write; must not exist, or be empty")
    .option("--checkpoint <folder>", "default: the newest whole one")
    .option("--max-length <tokens>", "longer dialogues are cut, as the run did", positiveInteger, 512)
    .addHelpText(
      "after",
      `
Then, on the other machine, in that folder: torchrun --nproc_per_node 2 train.py (or accelerate launch train.py).
A base model in a local folder is copied; one from the Hugging Face hub is named.

Exit codes: 0 written, 2 the run, the data or the folder cannot be used`,
    )
    .action(async (run: string, options: HandoffCommandOptions) => {
      const { handOffRun } = await import("./handoff-run.js");
      process.exitCode = await handOffRun(run, options);
    });
}

import { Command } from "commander";
import { positiveInteger } from "./positive-integer.js";

/** `kaisetsu train`: repeats or continues a training run from its `training_config.json`. */
export function trainCommand(): Command {
  return new Command("train")
    .description("train as a training_config.json says, on dialogues of your own")
    .argument("<config>", "training_config.json, as saveTrainingConfig (or the Python notebook) writes it")
    .requiredOption("--data <file>", "dialogues, as JSONL or one JSON list")
    .option("--model <folder>", "the base model (default: the config's model_name)")
    .option("--output <folder>", "where checkpoints and the result go (default: the config's output_dir)")
    .option("--max-length <tokens>", "longer dialogues are cut", positiveInteger, 512)
    .option("--overwrite", "start afresh where training has ended already; what is there moves into a subfolder")
    .option("--engine <name>", "auto, onnx, wasm, tfjs-node, cpu", "auto")
    .addHelpText(
      "after",
      `
An unfinished run in the output folder is continued; finished training is left alone.

Exit codes:
  0    trained, or there was nothing left to do      130  stopped by Ctrl-C (143: by SIGTERM); what is done is saved
  1    training failed                               2    a file, setting or row that cannot be used`,
    )
    .action(async (config: string, options) => {
      const { trainFromConfig } = await import("./train-config.js");
      process.exitCode = await trainFromConfig(config, options);
    });
}

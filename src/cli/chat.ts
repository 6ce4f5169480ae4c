import { Command, InvalidArgumentError } from "commander";

/** `kaisetsu chat`: talk to a model in the terminal. */
export function chatCommand(): Command {
  return new Command("chat")
    .description("talk to a base model, or to an adapter on its base")
    .argument("<model>", "a model or adapter folder as transformers, PEFT or kaisetsu save it, or a hub id")
    .option("--tokenizer <folder>", "where the tokenizer is (default: the model folder, then its base)")
    .option("--max-new-tokens <n>", "longest answer", integer, 200)
    .option("--temperature <t>", "above 0 samples, 0 always takes the likeliest token", number, 0)
    .option("--top-p <p>", "sample among the likeliest tokens that make up this share", number, 0.95)
    .option("--repetition-penalty <p>", "above 1 avoids repeating", number, 1)
    .option("--seed <n>", "repeatable sampling", integer)
    .option("--engine <name>", "auto, onnx, wasm, tfjs-node, cpu", "auto")
    .addHelpText(
      "after",
      `
Type a message and Enter. /reset forgets the conversation, /exit or Ctrl-D leaves.
Ctrl-C stops an answer; at the prompt it leaves. Reads from a pipe too, one message a line.

Exit codes: 0 left normally, 2 the model or tokenizer cannot be loaded`,
    )
    .action(async (model: string, options) => {
      const { chat } = await import("./chat-session.js");
      process.exitCode = await chat(model, options);
    });
}

function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() === "" || !Number.isFinite(parsed) || parsed < 0) {
    throw new InvalidArgumentError("a number, 0 or above");
  }
  return parsed;
}

function integer(value: string): number {
  const parsed = number(value);
  if (!Number.isInteger(parsed)) throw new InvalidArgumentError("a whole number");
  return parsed;
}

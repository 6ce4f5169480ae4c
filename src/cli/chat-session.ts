import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AutoTokenizer, type PreTrainedTokenizer } from "../data/tokenizer/tokenizer.js";
import type { Message } from "../data/types.js";
import { useEngine } from "../engine/index.js";
import type { EngineName } from "../engine/types.js";
import { AutoModelForCausalLM } from "../model/auto-model.js";
import type { PreTrainedModel } from "../model/decoder/base-model.js";
import { pretrainedFolder } from "../model/files/hub.js";
import { AutoPeftModelForCausalLM } from "../model/peft/auto-peft.js";
import type { PeftModel } from "../model/peft/peft-model.js";

export interface ChatOptions {
  tokenizer?: string;
  maxNewTokens: number;
  temperature: number;
  topP: number;
  repetitionPenalty: number;
  seed?: number;
  engine: EngineName;
}

/** Runs a conversation on standard input and output; resolves to the exit code. */
export async function chat(nameOrPath: string, options: ChatOptions): Promise<number> {
  let model: PreTrainedModel | PeftModel;
  let tokenizer: PreTrainedTokenizer;
  try {
    const dir = await pretrainedFolder(nameOrPath);
    await useEngine(options.engine);
    const adapter = existsSync(join(dir, "adapter_config.json"));
    model = await (adapter ? AutoPeftModelForCausalLM : AutoModelForCausalLM).fromPretrained(dir);
    const own = existsSync(join(dir, "tokenizer.json")) ? dir : model.name_or_path;
    tokenizer = await AutoTokenizer.fromPretrained(options.tokenizer ?? own);
  } catch (error) {
    console.error(`kaisetsu chat: ${(error as Error).message}`);
    return 2;
  }
  const interactive = process.stdin.isTTY === true;
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: interactive, prompt: "> " });
  let answering: AbortController | undefined;
  lines.on("SIGINT", () => {
    if (answering) answering.abort();
    else lines.close();
  });
  let messages: Message[] = [];
  if (interactive) lines.prompt();
  for await (const line of lines) {
    const content = line.trim();
    if (content === "/exit") break;
    if (content === "/reset") messages = [];
    else if (content) {
      messages.push({ role: "user", content });
      answering = new AbortController();
      const answer = await reply(model, tokenizer, messages, options, answering.signal);
      answering = undefined;
      messages.push({ role: "model", content: answer });
    }
    if (interactive) lines.prompt();
  }
  lines.close();
  model.dispose();
  return 0;
}

/** Prints the answer as it comes, and returns it; an aborted one ends where it was. */
async function reply(
  model: PreTrainedModel | PeftModel,
  tokenizer: PreTrainedTokenizer,
  messages: Message[],
  options: ChatOptions,
  signal: AbortSignal,
): Promise<string> {
  const prompt = tokenizer.applyChatTemplate(messages, { add_generation_prompt: true });
  const made: number[] = [];
  let shown = "";
  const show = (end: boolean) => {
    const text = tokenizer.decode(made, { skip_special_tokens: true });
    // A character may span several tokens: hold it back until it is whole.
    if (!end && text.endsWith("\ufffd")) return;
    process.stdout.write(text.slice(shown.length));
    shown = text;
  };
  try {
    await model.generate(prompt, {
      max_new_tokens: options.maxNewTokens,
      do_sample: options.temperature > 0,
      temperature: options.temperature || 1,
      top_p: options.topP,
      repetition_penalty: options.repetitionPenalty,
      seed: options.seed,
      eos_token_id: stopTokens(model, tokenizer),
      on_token: (id) => {
        made.push(id);
        show(false);
      },
      signal,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  show(true);
  process.stdout.write("\n");
  return shown.trim();
}

/** The model's own stop tokens, and the token that ends a turn in Gemma's and ChatML's templates. */
function stopTokens(model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizer): number[] {
  const own = (model.generation_config.eos_token_id ?? model.config.eos_token_id ?? []) as number | number[];
  const stop = new Set([own, tokenizer.eos_token_id ?? []].flat());
  for (const token of ["<end_of_turn>", "<|im_end|>", "<|eot_id|>"]) {
    const ids = tokenizer.encode(token, { add_special_tokens: false });
    if (ids.length === 1 && ids[0] !== tokenizer.unk_token_id) stop.add(ids[0]!);
  }
  return [...stop];
}

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AutoModelForCausalLM, AutoTokenizer, Dataset, tokenizeDialogues, useEngine } from "../../src/index.js";

const dir = join(process.cwd(), "notebooks/models/kotoba-gemma2");

test("the base model answers Japanese questions on the subject, with statements", async () => {
  await useEngine("auto");
  const tokenizer = await AutoTokenizer.fromPretrained(dir);
  const model = await AutoModelForCausalLM.fromPretrained(dir);
  for (const subject of ["友情", "勇気", "幸せ", "努力", "正義"]) {
    const prompt = tokenizer.applyChatTemplate([{ role: "user", content: `${subject}とは何ですか。` }], {
      add_generation_prompt: true,
    });
    const ids = await model.generate(prompt, { max_new_tokens: 64, do_sample: false });
    const reply = tokenizer.decode(ids.slice(prompt.length), { skip_special_tokens: true }).trim();
    assert.match(reply, /です。$|ます。$|しょう。$/, `${subject}: ${reply}`);
    assert.doesNotMatch(reply, /か。|？/, `${subject}: ${reply}`);
    assert.ok(reply.includes(subject) || reply.startsWith("ひとことで言えば"), `${subject}: ${reply}`);
  }
  model.dispose();
});

test("its tokenizer spells hardly anything of the tutorial's dialogues in bytes, and its files are small", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(dir);
  const rows = tokenizeDialogues(Dataset.fromJsonl("notebooks/data/socratic-dialogues.jsonl"), tokenizer);
  const tokens = [...rows].flatMap(({ input_ids }) => input_ids.map((id) => tokenizer.convertIdsToTokens(id) ?? ""));
  const bytes = tokens.filter((token) => /^<0x[0-9A-F]{2}>$/.test(token)).length;
  assert.ok(bytes / tokens.length < 0.005, `${bytes} of ${tokens.length} tokens are bytes`);
  const size = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  assert.ok(size < 12e6, `${size} bytes`);
});

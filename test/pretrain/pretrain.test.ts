import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { AutoTokenizer, type Message } from "../../src/index.js";

/** The scripts are plain JavaScript outside the compiled tree. */
const script = (name: string) => import(new URL(`../../../scripts/pretrain/${name}`, import.meta.url).href);
const { buildCorpus } = (await script("corpus.js")) as {
  buildCorpus(options: { count: number; seed: number }): { theme: string; messages: Message[] }[];
};
const { trainTokenizer, writeTokenizer } = (await script("tokenizer.js")) as {
  trainTokenizer(texts: string[], options: { vocab_size: number }): { model: { vocab: Record<string, number> } };
  writeTokenizer(dir: string, tokenizer: unknown): void;
};

const corpus = buildCorpus({ count: 3000, seed: 7 });
const texts = corpus.flatMap(({ messages }) => messages.map(({ content }) => content));
const scratch = mkdtempSync(join(tmpdir(), "kaisetsu-pretrain-test-"));
after(() => rmSync(scratch, { recursive: true }));

test("the same seed gives the same corpus, another seed another one", () => {
  assert.deepEqual(buildCorpus({ count: 50, seed: 7 }), corpus.slice(0, 50));
  assert.notDeepEqual(buildCorpus({ count: 50, seed: 8 }), corpus.slice(0, 50));
});

test("the assistant never asks; the user does", () => {
  const asks = (text: string) => /(ですか|ますか|しょうか|せんか|でしょう|[？?])。?$/.test(text);
  const answers = corpus.flatMap(({ messages }) => messages.filter(({ role }) => role === "model"));
  assert.deepEqual(
    answers.filter(({ content }) => asks(content)),
    [],
  );
  const said = corpus.flatMap(({ messages }) => messages.filter(({ role }) => role === "user"));
  assert.ok(said.filter(({ content }) => asks(content)).length > said.length / 2);
});

test("dialogues differ, alternate, and end with the assistant", () => {
  const whole = new Set(corpus.map(({ messages }) => messages.map(({ content }) => content).join("\n")));
  assert.equal(whole.size, corpus.length);
  for (const { messages } of corpus) {
    assert.deepEqual(
      messages.map(({ role }) => role),
      messages.map((_, i) => (i % 2 === 0 ? "user" : "model")),
    );
    assert.equal(messages.at(-1)!.role, "model");
  }
  assert.ok(new Set(corpus.map(({ theme }) => theme)).size >= 20);
});

test("the tokenizer has Gemma's special ids, spells what it does not know in bytes, and never joins across punctuation", async () => {
  const tokenizer = trainTokenizer(texts, { vocab_size: 2400 });
  assert.equal(Object.keys(tokenizer.model.vocab).length, 2400);
  writeTokenizer(scratch, tokenizer);
  const loaded = await AutoTokenizer.fromPretrained(scratch);
  assert.deepEqual([loaded.pad_token_id, loaded.eos_token_id, loaded.bos_token_id, loaded.unk_token_id], [0, 1, 2, 3]);
  for (const text of ["友情とは何ですか。", "「鬱」という字は 難しい。🙂", "user model\n"]) {
    assert.equal(loaded.decode(loaded.encode(text), { skip_special_tokens: true }), text);
  }
  const emoji = loaded.encode("🙂", { add_special_tokens: false }).map((id) => loaded.convertIdsToTokens(id));
  assert.deepEqual(emoji, ["<0xF0>", "<0x9F>", "<0x99>", "<0x82>"]);
  const joined = Object.keys(tokenizer.model.vocab).filter((token) => /[。、「」]./u.test(token));
  assert.deepEqual(joined, []);
  const messages: Message[] = [
    { role: "user", content: " 朝とは何ですか。 " },
    { role: "assistant", content: "一日の始まりです。" },
  ];
  assert.equal(
    loaded.applyChatTemplate(messages, { tokenize: false, add_generation_prompt: true }),
    "<bos><start_of_turn>user\n朝とは何ですか。<end_of_turn>\n" +
      "<start_of_turn>model\n一日の始まりです。<end_of_turn>\n<start_of_turn>model\n",
  );
  assert.throws(() => loaded.applyChatTemplate([{ role: "system", content: "x" }]), /System role not supported/);
  assert.throws(() => loaded.applyChatTemplate([messages[1]!]), /must alternate/);
});

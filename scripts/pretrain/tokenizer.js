/** Trains a tokenizer in Gemma's manner and writes the files that `AutoTokenizer` reads, here and in Python. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { learnMerges } from "./bpe.js";

const special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"];

/** The turns of Gemma: `assistant` is called `model`, a system turn is refused, user and model alternate. */
const chatTemplate = `{{ bos_token }}
{%- for message in messages %}
    {%- if message['role'] == 'system' %}
        {{- raise_exception('System role not supported') }}
    {%- endif %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
    {{- '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<start_of_turn>model\\n' }}
{%- endif %}
`;

export function trainTokenizer(texts, { vocab_size }) {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  const spoken = ["\n", "▁", "user", "model"];
  // `user` and `model` head every turn; like Gemma, the vocabulary has each as one piece.
  const roleMerges = ["user", "model"].flatMap(prefixMerges);
  const fixed = [...special, ...bytes, ...new Set([...spoken, ..."usermodel", ...roleMerges.map((m) => m.join(""))])];
  const { alphabet } = learnMerges(texts, { merges: 0 });
  const characters = alphabet.filter((character) => !fixed.includes(character));
  const room = vocab_size - fixed.length - characters.length;
  if (room < 0) throw new Error(`vocab_size ${vocab_size} is too small: ${-room} characters do not fit`);
  const learnt = learnMerges(texts, { merges: room }).merges;
  const pieces = [...new Set([...fixed, ...characters, ...learnt.map((pair) => pair.join(""))])];
  return tokenizerJson(pieces, [...roleMerges, ...learnt]);
}

function prefixMerges(word) {
  return [...word].slice(1).map((character, i) => [word.slice(0, i + 1), character]);
}

function tokenizerJson(pieces, merges) {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<bos>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [
        { SpecialToken: { id: "<bos>", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "<bos>", type_id: 1 } },
        { Sequence: { id: "B", type_id: 1 } },
      ],
      special_tokens: { "<bos>": { id: "<bos>", ids: [special.indexOf("<bos>")], tokens: ["<bos>"] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges,
    },
  };
}

export function writeTokenizer(dir, tokenizer) {
  mkdirSync(dir, { recursive: true });
  const config = {
    bos_token: "<bos>",
    clean_up_tokenization_spaces: false,
    eos_token: "<eos>",
    model_max_length: 512,
    pad_token: "<pad>",
    padding_side: "right",
    tokenizer_class: "PreTrainedTokenizerFast",
    unk_token: "<unk>",
  };
  // One entry a line would be 4,000 lines of diff for a file nobody reads: compact, as large tokenizers are kept.
  writeFileSync(join(dir, "tokenizer.json"), `${JSON.stringify(tokenizer)}\n`);
  writeFileSync(join(dir, "tokenizer_config.json"), `${JSON.stringify(config, null, 2)}\n`);
  writeFileSync(join(dir, "chat_template.jinja"), chatTemplate);
}

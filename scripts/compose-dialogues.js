/**
 * `node scripts/compose-dialogues.js [COUNT] [--seed N] > dialogues.jsonl`: Socratic dialogues about the concepts that the
 * base model knows, composed from the same hand-written facts. The model's turn is always a question. A dialogue that
 * resembles an earlier one is thrown away, so what remains is varied.
 *
 * They stand in `notebooks/data/socratic-dialogues.jsonl` beside those that were written one by one: a model of three
 * million weights learns the role from sentences that it can read, and the wording of the others on top.
 */
import { parseArgs } from "node:util";
import { readConcepts } from "./pretrain/facts.js";
import { seeded } from "./pretrain/random.js";
import { wonderingQuestion } from "./pretrain/wondering.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string", default: "5" }, "max-similarity": { type: "string", default: "0.3" } },
});
const random = seeded(Number(values.seed));
// The rest, things like bones and borders, makes poor subjects.
const concepts = readConcepts().filter(({ theme }) => theme !== "いろいろ");

for (const row of compose(Number(positionals[0] ?? 228), Number(values["max-similarity"]))) {
  console.log(JSON.stringify(row));
}

function compose(count, limit) {
  const rows = [];
  const kept = [];
  for (let attempt = 0; rows.length < count && attempt < count * 200; attempt++) {
    // In turn, so that every theme gets its share.
    const row = dialogue(concepts[attempt % concepts.length]);
    const grams = trigrams(row.messages.map(({ content }) => content).join("\n"));
    if (kept.some((other) => jaccard(grams, other) > limit)) continue;
    rows.push(row);
    kept.push(grams);
  }
  return rows;
}

function dialogue(concept) {
  const near = concepts.filter(({ theme, name }) => theme === concept.theme && name !== concept.name);
  const asked = new Set();
  const question = () => {
    for (;;) {
      const [text] = wonderingQuestion(concept, random.pick(near), random);
      if (asked.has(text) || awkward(text, concept)) continue;
      asked.add(text);
      return text;
    }
  };
  const turns = [opening(concept), question()];
  const rounds = random.pick([1, 1, 2, 2, 3]);
  for (let round = 1; round < rounds; round++) turns.push(reply(turns.at(-1), concept), question());
  const messages = turns.map((content, i) => ({ role: i % 2 === 0 ? "user" : "model", content }));
  return { theme: concept.theme, source: "composed", messages };
}

function opening({ name, kind, opinions, gloss }) {
  const general = [`${name}とは何ですか。`, `${name}について教えてください。`, `${name}について、よく考えます。`];
  if (kind === "value") general.push(`${name}は大切だと思います。`, `${name}には意味がないと思います。`);
  if (kind === "cause") general.push(`${name}をなくしたいです。`);
  if (kind === "meaning") general.push(`${name}とは、${gloss}だと思います。`);
  return random.chance(0.65) ? random.pick(opinions).said : random.pick(general);
}

/** Questions that the base model may meet, but nobody would ask about this concept. */
function awkward(question, { kind, theme }) {
  if (
    /たくさんあれば|だれが決めたもの|だれにとっての|ことができるのでしょうか|あなたが選んだもの|があっても/.test(
      question,
    )
  )
    return true;
  if (/(.{4,})のと、\1のと|(.{4,})ことと、\2こと/.test(question)) return true;
  if (/感じたのは/.test(question) && !["幸福", "愛と心", "友情"].includes(theme)) return true;
  return kind !== "value" && /必要なもの|手放してよい|教わるもの|求める心|失った人|感じたのは/.test(question);
}

/** An answer of the kind that was asked for: a reason, a time, a choice, a thing, or yes and no. */
function reply(question, { why, how, examples, cautions }) {
  const [w, h, e, c] = [why, how, examples, cautions].map((list) => random.pick(list));
  if (/なぜ|から(でしょうか|ですか)/.test(question))
    return random.pick([`たぶん、${w}からです。`, `${w}からだと思います。`]);
  if (/どんなとき|いつ/.test(question)) return `${e}ときです。`;
  if (/どちらが先|何だと思いますか|どうすれば|手放して/.test(question)) return `${h}ことだと思います。`;
  if (/何を|何が|何でしょうか|どこ|どう思/.test(question))
    return random.pick(["うまく言えません。", `${h}ことだと思います。`]);
  return random.pick([
    `はい、${e}ことがあります。`,
    `いいえ、${c}こともあります。`,
    `そう言われると、${c}ことがあります。`,
    "そうかもしれません。",
  ]);
}

function trigrams(text) {
  const characters = [...text];
  const set = new Set();
  for (let i = 0; i + 3 <= characters.length; i++) set.add(characters.slice(i, i + 3).join(""));
  return set;
}

function jaccard(a, b) {
  let shared = 0;
  for (const gram of a) if (b.has(gram)) shared++;
  return shared / (a.size + b.size - shared);
}

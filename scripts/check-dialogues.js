/**
 * `node scripts/check-dialogues.js [FILE] [--max-similarity 0.5]`: proves what a dialogue file promises, with figures.
 * Every row has messages that alternate user / model and end with the model; no two dialogues are near-duplicates
 * (Jaccard similarity of their sets of character trigrams). Exit code 1 and one line per fault otherwise.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const home = fileURLToPath(new URL("../notebooks/data/socratic-dialogues.jsonl", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "max-similarity": { type: "string", default: "0.5" }, "min-rows": { type: "string", default: "300" } },
});
const file = positionals[0] ?? home;
const limit = Number(values["max-similarity"]);

const faults = [];
const rows = readRows(file);
const dialogues = rows.filter(({ messages, line }) => wellFormed(messages, line));
const closest = closestPair(dialogues);
if (rows.length < Number(values["min-rows"])) faults.push(`only ${rows.length} rows; want ${values["min-rows"]}`);
if (closest.similarity > limit) {
  faults.push(`lines ${closest.lines.join(" and ")} are near-duplicates: similarity ${closest.similarity.toFixed(3)}`);
}

report();
for (const fault of faults) console.error(`fault: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);

function readRows(path) {
  const found = [];
  readFileSync(path, "utf8")
    .split("\n")
    .forEach((text, index) => {
      if (text.trim() === "") return;
      try {
        found.push({ ...JSON.parse(text), line: index + 1 });
      } catch (error) {
        faults.push(`line ${index + 1} is not JSON: ${error.message}`);
      }
    });
  return found;
}

function wellFormed(messages, line) {
  if (!Array.isArray(messages) || messages.length < 2) {
    faults.push(`line ${line} has no messages, or fewer than two`);
    return false;
  }
  if (messages.length % 2 === 1) faults.push(`line ${line} does not end with the model`);
  messages.forEach(({ role, content }, i) => {
    const expected = i % 2 === 0 ? "user" : "model";
    if (role !== expected) faults.push(`line ${line}, message ${i + 1}: role is ${role}, expected ${expected}`);
    if (typeof content !== "string" || content.trim() === "") faults.push(`line ${line}, message ${i + 1} is empty`);
  });
  return true;
}

/** Compares every pair exactly: for a few thousand short dialogues that takes a second, and needs no MinHash. */
function closestPair(list) {
  const sets = list.map(({ messages }) => trigrams(messages.map(({ content }) => content).join("\n")));
  let best = { similarity: 0, lines: [] };
  for (let i = 0; i < sets.length; i++) {
    for (let j = i + 1; j < sets.length; j++) {
      const similarity = jaccard(sets[i], sets[j]);
      if (similarity > best.similarity) best = { similarity, lines: [list[i].line, list[j].line] };
    }
  }
  return best;
}

function trigrams(text) {
  const characters = [...text.normalize("NFKC")];
  const set = new Set();
  for (let i = 0; i + 3 <= characters.length; i++) set.add(characters.slice(i, i + 3).join(""));
  return set;
}

function jaccard(a, b) {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  let shared = 0;
  for (const gram of small) if (large.has(gram)) shared++;
  const union = a.size + b.size - shared;
  return union === 0 ? 1 : shared / union;
}

function report() {
  const turns = new Map();
  const lengths = [];
  let replies = 0;
  let asking = 0;
  for (const { messages } of dialogues) {
    turns.set(messages.length, (turns.get(messages.length) ?? 0) + 1);
    lengths.push(messages.reduce((sum, { content }) => sum + [...content].length, 0));
    for (const { role, content } of messages) {
      if (role !== "model") continue;
      replies++;
      if (/(か|しょう)。?$|[?？]$/u.test(content)) asking++;
    }
  }
  lengths.sort((a, b) => a - b);
  const at = (q) => lengths[Math.min(lengths.length - 1, Math.floor(q * lengths.length))] ?? 0;
  const themes = new Set(dialogues.map(({ theme }) => theme).filter(Boolean));
  const turnText = [...turns].sort((a, b) => a[0] - b[0]).map(([n, count]) => `${n}: ${count}`);
  console.log(`rows                 ${rows.length} in ${themes.size} themes`);
  console.log(`messages a dialogue  ${turnText.join(", ")}`);
  console.log(`characters           shortest ${at(0)}, median ${at(0.5)}, longest ${at(1)}`);
  console.log(`replies that ask     ${asking} of ${replies}`);
  console.log(`closest pair         similarity ${closest.similarity.toFixed(3)} (lines ${closest.lines.join(", ")})`);
}

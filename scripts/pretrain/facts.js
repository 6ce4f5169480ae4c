/**
 * Reads `facts/*.txt`: what the base model is to know, written by hand. A concept is a heading `name: gloss` followed by
 *   w  why it matters (`name-`: what causes it; `name~`: what it does), plain clauses
 *   h  what helps, plain clauses that end in a verb
 *   e  examples, plain clauses that end in a verb
 *   c  what to beware of, one clause
 *   o  something a user may say | the answer
 * Clauses of one line are separated by `/`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("facts/", import.meta.url));

export function readConcepts() {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .sort();
  return files.flatMap((name) => parse(readFileSync(`${folder}${name}`, "utf8"), name));
}

function parse(text, file) {
  const concepts = [];
  let theme = "";
  text.split("\n").forEach((line, index) => {
    const where = `${file}:${index + 1}`;
    if (line.trim() === "") return;
    if (line.startsWith("# ")) {
      theme = line.slice(2);
      return;
    }
    const fact = /^([wheco]) (.+)$/.exec(line);
    const concept = concepts.at(-1);
    if (fact && concept) addFact(concept, fact[1], fact[2], where);
    else concepts.push(heading(line, theme, where));
  });
  for (const { name, why, how, examples, cautions, opinions } of concepts) {
    if ([why, how, examples, cautions, opinions].some((list) => list.length === 0)) {
      throw new Error(`${file}: ${name} lacks one of w, h, e, c, o`);
    }
  }
  return concepts;
}

function heading(line, theme, where) {
  const match = /^([^:~-]+)([~-]?): (.+)$/.exec(line);
  if (!match) throw new Error(`${where}: neither a heading "name: gloss" nor a fact: ${line}`);
  const kind = match[2] === "-" ? "cause" : match[2] === "~" ? "meaning" : "value";
  return { theme, name: match[1], kind, gloss: match[3], why: [], how: [], examples: [], cautions: [], opinions: [] };
}

function addFact(concept, key, text, where) {
  if (key === "o") {
    const [said, answer] = text.split("|");
    if (!answer) throw new Error(`${where}: an opinion needs "said|answer"`);
    concept.opinions.push({ said, answer });
    return;
  }
  concept[{ w: "why", h: "how", e: "examples", c: "cautions" }[key]].push(...text.split("/"));
}

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const root = process.cwd();
const ours = join(root, "notebooks/data/socratic-dialogues.jsonl");
const scratch = mkdtempSync(join(tmpdir(), "kaisetsu-dialogues-"));
after(() => rmSync(scratch, { recursive: true }));

function check(lines: string[]) {
  const file = join(scratch, "dialogues.jsonl");
  writeFileSync(file, lines.join("\n"));
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/check-dialogues.js", file], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const lines = readFileSync(ours, "utf8").trim().split("\n");

test("the tutorial has at least 300 dialogues, well-formed, varied, without near-duplicates", () => {
  const { status, stdout, stderr } = check(lines);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.ok(Number(/rows +(\d+)/.exec(stdout)?.[1]) >= 300, stdout);
  const [asking, replies] = /(\d+) of (\d+)/.exec(stdout)!.slice(1).map(Number);
  assert.ok(asking! >= replies! * 0.95, `Socrates asks back: ${stdout}`);
});

test("a near-duplicate is found and named by its lines", () => {
  const copy = lines[9]!.replace("自分で", "自分の手で");
  const { status, stderr } = check([...lines, copy]);
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`lines 10 and ${lines.length + 1} are near-duplicates`));
});

test("rows that a trainer could not use are faults", () => {
  const { status, stderr } = check([
    ...lines,
    "{ not json",
    JSON.stringify({ messages: [] }),
    JSON.stringify({
      messages: [
        { role: "user", content: "問い" },
        { role: "tool", content: "答え" },
      ],
    }),
    JSON.stringify({
      messages: [
        { role: "user", content: "宇宙とは" },
        { role: "model", content: " " },
      ],
    }),
  ]);
  assert.equal(status, 1);
  const first = lines.length + 1;
  assert.match(stderr, new RegExp(`line ${first} is not JSON`));
  assert.match(stderr, new RegExp(`line ${first + 1} has no messages`));
  assert.match(stderr, new RegExp(`line ${first + 2}, message 2: role is tool, expected model`));
  assert.match(stderr, new RegExp(`line ${first + 3}, message 2 is empty`));
});

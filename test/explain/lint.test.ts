import assert from "node:assert/strict";
import { test } from "node:test";
import { lintPanel } from "../../src/explain/lint.js";
import { writePanel } from "../../src/explain/panel.js";
import { loadProseLinter } from "../../src/explain/prose.js";

const rulesIn = (body: string, title = "題") =>
  lintPanel(writePanel({ title, body })).map(({ rule, line }) => `${rule}:${line}`);

test("a good panel has no findings", () => {
  const body = `これは「**強調**」です。**太字**と \`\${a}\` と \`$5\`、<strong>「強い」</strong>言葉。

#### 見出し

<ruby>漢字<rp>（</rp><rt>かんじ</rt><rp>）</rp></ruby>

##### 小見出し

\`\`\`ts
# $x **「」** <style>
\`\`\`

$E = mc^2$ は式です。<span style="color:#5B4636">茶</span>`;
  assert.deepEqual(rulesIn(body), []);
});

test("each fault is found on its line", () => {
  const cases: [body: string, expected: string][] = [
    ["これは**「強調」**です", "bold:4"],
    ["一\n\n**重要。**次へ", "bold:6"],
    ["関数**`f()`**を", "bold:4"],
    ["**TypeScript（TS）**は", "bold:4"],
    ["$5 の品", "dollar:4"],
    ["### 浅い", "heading-level:4"],
    ["#### 見出し\n\n###### 飛ぶ", "heading-level:6"],
    ["<style>p { color: red }</style>", "stripped:4"],
    ['<p id="x">x</p>', "stripped:4"],
    ["<ruby>漢字<rt>かんじ</rt></ruby>", "ruby-rp:4"],
    ['<p style="color:#8A6F5C">薄い</p>', "contrast:4"],
    ['<p style="color: #777; background-color: #888">x</p>', "contrast:4"],
  ];
  for (const [body, expected] of cases) assert.ok(rulesIn(body).includes(expected), `${body} → ${rulesIn(body)}`);
});

test("what is not stored as a panel is said so", () => {
  assert.deepEqual(
    lintPanel("ただの文章").map(({ rule }) => rule),
    ["stored-form"],
  );
  const indented = writePanel({ title: "a", body: "b" }).replace("<summary", "  <summary");
  assert.deepEqual(
    lintPanel(indented).map(({ rule }) => rule),
    ["stored-form"],
  );
  assert.deepEqual(rulesIn("本文", ""), ["summary:1"]);
});

test("textlint's Japanese rules, with the line in the Markdown", async () => {
  const lint = await loadProseLinter();
  assert.ok(lint, "textlint is among the development dependencies");
  const findings = await lint(
    "よい文です。\n\nこの機能は使うことができないことはないと思われるかもしれないのである。\n\n食べれます。",
  );
  assert.deepEqual([...new Set(findings.map(({ line }) => line))], [3, 5]);
  assert.ok(findings.some(({ rule }) => rule.includes("no-dropping-the-ra")));
  assert.deepEqual(await lint("なぜそう考えるのですか？\n\n- `max_steps` を決めます\n- 例を挙げます"), []);
});

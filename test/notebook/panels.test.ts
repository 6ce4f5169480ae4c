import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatNotebook, parseNotebook } from "../../src/notebook/document.js";
import type { Cell, Notebook } from "../../src/notebook/nbformat.js";
import { checkPanels, unwrapPanels, wrapPanels } from "../../src/notebook/panels.js";

const cli = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const code = (id: string, source = "1"): Cell => ({
  cell_type: "code",
  id,
  metadata: {},
  source,
  execution_count: null,
  outputs: [],
});
const note = (id: string, source: string, tags = ["explanation"]): Cell => ({
  cell_type: "markdown",
  id,
  metadata: { tags },
  source,
});
const book = (...cells: Cell[]): Notebook => ({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
const rules = (notebook: Notebook) => checkPanels(notebook).map(({ cell, rule }) => `${cell} ${rule}`);

test("plain explanations become panels, once; the author's Markdown comes back", () => {
  const notebook = book(
    code("a"),
    note("a-note", "### 値を決める\n\n本文です。"),
    code("b"),
    note("b-note", "本文だけ"),
  );
  assert.equal(wrapPanels(notebook), 2);
  assert.deepEqual(rules(notebook), []);
  const stored = formatNotebook(notebook);
  assert.equal(wrapPanels(notebook), 0);
  assert.equal(formatNotebook(notebook), stored);
  assert.match(notebook.cells[3]!.source, /解説<\/strong>：セル 2</);
  assert.equal(unwrapPanels(notebook), 2);
  assert.equal(notebook.cells[1]!.source, "### 値を決める\n\n本文です。");
  wrapPanels(notebook);
  assert.equal(formatNotebook(notebook), stored);
});

test("the check covers all panels together", () => {
  const notebook = book(
    note("first", "### 早い\n\nx"),
    code("a"),
    code("b"),
    note("b1", "### 同じ\n\nx"),
    note("b2", "### 同じ\n\nx"),
    code("c"),
    note("c1", '<details class="kaisetsu">\n<summary>x</summary>\n\nx\n\n</details>', []),
    code("empty", " \n"),
  );
  wrapPanels(notebook);
  assert.deepEqual(rules(notebook), [
    "first one-panel",
    "a one-panel",
    "b2 one-panel",
    "b2 summary",
    "c one-panel",
    "c1 tag",
  ]);
});

test("the command wraps in place, takes explanations from files beside the notebook, and reports places", () => {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-"));
  try {
    const path = join(folder, "n.ipynb");
    writeFileSync(
      path,
      formatNotebook(book(code("load"), code("train"), note("t", "### 学習\n\nこれは**「強調」**です"))),
    );
    writeFileSync(join(folder, "load.md"), "# 読み込み\r\n\r\nファイルを読みます。\r\n");
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [cli, "panels", "n.ipynb", ...args], { cwd: folder, encoding: "utf8" });
    const first = run();
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stderr, /2 explanation\(s\) changed/);
    const stored = readFileSync(path, "utf8");
    const notebook = parseNotebook(stored);
    assert.deepEqual(
      notebook.cells.map(({ id }) => id),
      ["load", "load-note", "train", "t"],
    );
    assert.match(notebook.cells[1]!.source, /：読み込み<\/summary>\n\nファイルを読みます。\n\n<\/details>$/);
    assert.match(run().stderr, /0 explanation/);
    assert.equal(readFileSync(path, "utf8"), stored);
    const check = run("--check", "--no-prose");
    assert.equal(check.status, 1);
    assert.match(check.stdout, /^n\.ipynb:t:4: .*\(bold\)\n/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("awkward explanations are wrapped once and come back; half a disclosure is left as it is, and reported", () => {
  const sources = [
    "### 題「引用」と & の記号\n\n`a<b` と `</details>` を**比べます**。",
    "### 二\n\n```html\n### 見出しではない\n</details>\n```\n\n> 引用\n\n| 表 |\n|---|\n| 1 |",
    "### 三 👩‍👩‍👧 𠮷野家\n\n<details><summary>中</summary>\n\n奥\n\n</details>",
  ];
  const half = "文です。\n</details>\n文です。";
  const notebook = book(...[...sources, half].flatMap((source, i) => [code(`c${i}`), note(`n${i}`, source)]));
  assert.equal(wrapPanels(notebook), sources.length);
  assert.equal(wrapPanels(notebook), 0);
  assert.equal(notebook.cells.at(-1)!.source, half);
  assert.deepEqual(rules(notebook), ["n3 stored-form"]);
  assert.match(checkPanels(notebook)[0]!.message, /without its counterpart/);
  assert.equal(unwrapPanels(notebook), sources.length);
  assert.deepEqual(
    notebook.cells.filter((_, i) => i % 2 === 1).map(({ source }) => source),
    [...sources, half],
  );
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { JSDOM } from "jsdom";
import { readNotebook } from "../../src/notebook/document.js";
import { type ExportOptions, exportHtml } from "../../src/notebook/export/export.js";
import type { Cell, Notebook, Output } from "../../src/notebook/nbformat.js";

const fixtures = new URL("../../../test/fixtures/", import.meta.url);

const book = (cells: Cell[], metadata = {}): Notebook => ({ nbformat: 4, nbformat_minor: 5, metadata, cells });
const markdown = (source: string, extra = {}): Cell => ({ cell_type: "markdown", metadata: {}, source, ...extra });
const code = (source: string, outputs: Output[] = [], metadata = {}): Cell => ({
  cell_type: "code",
  metadata,
  source,
  execution_count: 1,
  outputs,
});
const shown = (data: Record<string, unknown>): Output => ({ output_type: "display_data", data, metadata: {} });

async function page(cells: Cell[], options: ExportOptions = {}, metadata = {}): Promise<Document> {
  return new JSDOM(await exportHtml(book(cells, metadata), options)).window.document;
}

const main = (document: Document) => document.querySelector("main")!;

test("the sample becomes a page with its title, contents, code, outputs and panels", async () => {
  const html = await exportHtml(readNotebook(new URL("sample.ipynb", fixtures).pathname), { name: "sample.ipynb" });
  const { document } = new JSDOM(html).window;
  assert.equal(document.title, "ソクラテス式対話モデルの学習（見本）");
  assert.equal(document.documentElement.lang, "ja");
  assert.equal(document.querySelectorAll("h1").length, 1);
  assert.deepEqual(
    [...document.querySelectorAll(".toc a")].map((link) => link.textContent),
    ["1. 設定", "2. 学習の経過を見る", "3. いろいろな出力", "3.1 表と画像", "3.2 エラーと長い出力"],
  );
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".toc a")) {
    assert.ok(document.getElementById(decodeURIComponent(link.hash.slice(1))), link.hash);
  }
  assert.equal(document.querySelectorAll("main > details.panel").length, 7);
  assert.equal(document.querySelectorAll(".outputs details.panel").length, 1);
  assert.match(
    document.querySelector("main pre.code")!.textContent!,
    /const greeting: string = "なぜそう考えるのですか？";/,
  );
  assert.ok(document.querySelector("main math msub"), "formulas are MathML");
  assert.match(document.querySelector("main")!.textContent!, /80 行目/);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  assert.equal(new Set(ids).size, ids.length, "ids are unique");
});

test("code and text keep every character", async () => {
  const source = "const a = `<b>\n$" + '{1 < 2 && "</script>"}`;\n\n/* 日本語\n */ // &amp;';
  const text = "1 < 2 & \u001b[1;31m赤\u001b[0m </pre><b>";
  const document = await page(
    [code(source, [{ output_type: "stream", name: "stdout", text }])],
    {},
    {
      language_info: { name: "typescript" },
    },
  );
  assert.equal(main(document).querySelector("pre.code")!.textContent, source);
  assert.equal(main(document).querySelector("pre.out")!.textContent, "1 < 2 & 赤 </pre><b>");
  assert.ok(main(document).querySelector("pre.out .ansi-red-fg"));
});

test("every output of nbformat's MIME types is shown", async () => {
  const png = "iVBORw0KGgo=";
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ "text/html": "<b>太字</b>", "text/plain": "no" }, /<b>太字<\/b>/],
    [{ "text/markdown": "**太字**", "text/plain": "no" }, /<strong>太字<\/strong>/],
    [
      { "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>", "text/plain": "円" },
      /<img src="data:image\/svg\+xml;base64,[\w+/=]+" alt="円"/,
    ],
    [{ "image/png": png, "text/plain": "図" }, /<img src="data:image\/png;base64,iVBORw0KGgo=" alt="図"/],
    [{ "image/jpeg": `${png}\n` }, /<img src="data:image\/jpeg;base64,iVBORw0KGgo="/],
    [{ "image/gif": png }, /data:image\/gif/],
    [{ "text/latex": "$$\\frac{a}{b}$$" }, /<mfrac><mi>a<\/mi><mi>b<\/mi><\/mfrac>/],
    [{ "application/json": { a: [1] } }, /&quot;a&quot;: \[|"a": \[/],
    [{ "application/vnd.custom+json": { deep: true }, "text/plain": "概要" }, />概要</],
    [{ "application/vnd.custom+json": { deep: true } }, /deep/],
    [{ "application/pdf": "JVBERi0=" }, /href="data:application\/pdf;base64,JVBERi0="/],
    [{ "application/javascript": "alert(1)", "text/plain": "代わり" }, />代わり</],
    [{ "application/javascript": "alert(1)" }, /alert\(1\)<\/pre>/],
    [{ "text/html": "<script>draw()</script>", "image/png": png }, /data:image\/png/],
    [{ "text/html": "<iframe src='x'></iframe>", "text/plain": "地図" }, />地図</],
    [{ "text/plain": "ただの文字" }, />ただの文字</],
    [
      { "text/html": "<audio controls src='data:audio/wav;base64,UklGRg=='></audio>" },
      /<audio [^>]*src="data:audio\/wav/,
    ],
    [
      { "text/html": "<svg width='10' height='20'><circle r='4'/></svg>" },
      /<img src="data:image\/svg\+xml[^>]*width="10" height="20"/,
    ],
  ];
  const document = await page(cases.map(([data]) => code("x", [shown(data)])));
  const outputs = [...document.querySelectorAll("main .outputs")];
  assert.equal(outputs.length, cases.length);
  cases.forEach(([data, expected], i) => {
    assert.match(outputs[i]!.innerHTML, expected, JSON.stringify(data));
    assert.doesNotMatch(outputs[i]!.innerHTML, /<script|<iframe|<svg/);
  });
});

test("pictures come from attachments and from inside the notebook's folder, from nowhere else", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-"));
  const inside = join(folder, "book");
  try {
    mkdirSync(join(inside, "画像"), { recursive: true });
    const picture = Buffer.from("picture");
    writeFileSync(join(inside, "画像", "a b.png"), picture);
    writeFileSync(join(folder, "secret.png"), "secret");
    writeFileSync(join(inside, "secret.txt"), "secret");
    symlinkSync(join(folder, "secret.png"), join(inside, "link.png"));
    symlinkSync(join(inside, "secret.txt"), join(inside, "text.png"));
    const source = [
      "![一](attachment:x.png)",
      "![二](画像/a%20b.png)",
      ...[
        "../secret.png",
        `${folder}/secret.png`,
        `file://${folder}/secret.png`,
        "link.png",
        "text.png",
        "secret.txt",
      ].map((path) => `![悪](${path})`),
      "![遠](https://example.org/a.png)",
      '<img src="..%2fsecret.png" alt="悪"><img src="attachment:__proto__" alt="悪">',
    ].join("\n\n");
    const document = await page([markdown(source, { attachments: { "x.png": { "image/png": "eA==" } } })], {
      folder: inside,
    });
    const images = [...document.querySelectorAll<HTMLImageElement>("main img")].map((image) =>
      image.getAttribute("src"),
    );
    assert.deepEqual(images, ["data:image/png;base64,eA==", `data:image/png;base64,${picture.toString("base64")}`]);
    assert.equal(document.querySelectorAll("main .missing").length, 9);
    assert.doesNotMatch(document.documentElement.outerHTML, /c2VjcmV0/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("headings: one h1, no level skipped, panels below their section, ids that links find", async () => {
  const cells = [
    markdown("# 一章\n\n[二章へ](#二章) [%](#%E4%BA%8C%E7%AB%A0)"),
    code("x"),
    markdown("<details class='kaisetsu'>\n<summary>解説：a</summary>\n\n# 大見出し\n\n### 小見出し\n\n</details>", {
      metadata: { tags: ["explanation"] },
    }),
    markdown("# 二章\n\n#### 深い\n\n### 三\n\n<h1 id='own'>自前</h1>"),
  ];
  const document = await page(cells);
  const levels = [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].map((h) => `${h.tagName} ${h.textContent}`);
  assert.deepEqual(levels, ["H1 一章", "H2 大見出し", "H3 小見出し", "H2 二章", "H3 深い", "H3 三", "H2 自前"]);
  const target = document.querySelectorAll("h2")[1]!.id;
  for (const link of document.querySelectorAll<HTMLAnchorElement>("main a"))
    assert.equal(decodeURIComponent(link.hash), `#${target}`);
});

test("cell tags and Jupyter's own marks hide or fold", async () => {
  const document = await page([
    code("removed", [], { tags: ["remove-cell"] }),
    code("noinput", [shown({ "text/plain": "a" })], { tags: ["remove-input"] }),
    code("folded", [shown({ "text/plain": "b" })], { jupyter: { source_hidden: true, outputs_hidden: true } }),
  ]);
  const text = main(document).textContent!;
  assert.doesNotMatch(text, /removed|noinput/);
  assert.equal(document.querySelectorAll("details.fold").length, 2);
  assert.match(text, /folded/);
});

test("English words for the page itself on request", async () => {
  const document = await page(
    [markdown("# A\n\n## B"), code("throw 1", [{ output_type: "error", ename: "E", evalue: "", traceback: [] }])],
    {
      ui: "en",
      lang: "en",
    },
  );
  assert.equal(document.documentElement.lang, "en");
  assert.doesNotMatch(document.body.textContent!.replace(/（|）/g, ""), /[\u3040-\u30ff\u4e00-\u9fff]/);
});

test("nesting deeper than any reader follows is shown as it was written", { timeout: 20_000 }, async () => {
  const document = await page([
    markdown(`${">".repeat(20_000)} 底`),
    markdown(`${"<div>".repeat(20_000)}底`),
    markdown(`${"- ".repeat(5000)}底`),
  ]);
  assert.match(main(document).textContent!, /底[\s\S]*底[\s\S]*底/);
});

test("texts that tempt an expression to try all ways are shown in time", { timeout: 120_000 }, async () => {
  const { cells } = JSON.parse(
    `{"cells": [{"cell_type": "code", "metadata": {}, "source": "x", "execution_count": 1, "outputs": [{"output_type":
    "display_data", "metadata": {}, "data": {"application/json": ${"[".repeat(100_000)}${"]".repeat(100_000)}}}]}]}`,
  ) as { cells: Cell[] };
  const document = await page([
    ...cells,
    markdown(`${"> ".repeat(59)}底\n`.repeat(1000)),
    markdown(`${"> - ".repeat(25)}底`),
    markdown(`${"`".repeat(100_000)}\n底`),
    code(`${" ".repeat(150_000)}底`),
    code("x", [{ output_type: "stream", name: "stdout", text: `${"a\r".repeat(300_000)}底` }]),
    ...Array.from({ length: 1000 }, (_, i) =>
      code("x", [shown({ "text/html": `<p onclick="x">${i}<script></script></p>` })]),
    ),
  ]);
  const text = main(document).textContent!;
  assert.equal(text.match(/底/g)!.length, 1000 + 4);
  assert.match(text, /application\/json/);
  assert.match(text, /999/);
});

test("progress bars show what they last wrote, a script's animation its first frame", async () => {
  const stream = (text: string): Output => ({ output_type: "stream", name: "stderr", text });
  const frame = `<img id="a"><script>frames[0] = "data:image/png;base64,iVBO\\\nRw0KGgo="; start()</script>`;
  const document = await page([
    code("x", [stream(" 10%|#   |\r 50%|##  |\r100%|####|\r\nabc\b\bX\nlonger\rshort\n")]),
    code("x", [shown({ "text/html": frame })]),
    code("x", [shown({ "text/markdown": "<script>x</script>" })]),
  ]);
  assert.equal(document.querySelector("pre.out")!.textContent, "100%|####|\naX\nshortr");
  assert.equal(document.querySelector(".rich img")!.getAttribute("src"), "data:image/png;base64,iVBORw0KGgo=");
  assert.match(
    document.querySelectorAll(".outputs")[2]!.textContent!,
    /<script>x<\/script>/,
    "as text, for want of anything else",
  );
});

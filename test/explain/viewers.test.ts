/** The stored panel through the renderers and filters of the programs that people open notebooks with. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import createDOMPurify from "dompurify";
import { JSDOM } from "jsdom";
import MarkdownIt from "markdown-it";
import { marked } from "marked";
import sanitizeHtml from "sanitize-html";
import { writeFlatPanel } from "../../src/explain/flat.js";
import { markdownRenderer } from "../../src/explain/markdown.js";
import { panelTag, writePanel } from "../../src/explain/panel.js";
import { formatNotebook } from "../../src/notebook/document.js";
import type { Notebook } from "../../src/notebook/nbformat.js";

const panel = {
  title: "データの分割 `a < b`",
  body: `本文です。**太字**と \`\${x}\` と <ruby>漢字<rp>（</rp><rt>かんじ</rt><rp>）</rp></ruby>。

#### 何をしているか

- 一つめ
- 二つめ

| 回 | 値 |
|---|---|
| 1 | 0.5 |

\`\`\`ts
const a = [1, 2];

const end = "</details>";
\`\`\`

> 最後の一文。`,
};
const stored = writePanel(panel);

/** Everything inside, nothing outside, and the parts still what they were. */
function check(html: string, { styled }: { styled: boolean }): void {
  const { document } = new JSDOM(`<body>${html}</body>`).window;
  const details = document.querySelectorAll("details");
  assert.equal(details.length, 1, html);
  const [box] = details;
  assert.equal(box!.open, false);
  assert.match(box!.querySelector("summary")!.textContent!, /^解説：データの分割 `a < b`$/);
  assert.match(box!.querySelector("h4")!.textContent!, /^何をしているか/);
  assert.equal(box!.querySelectorAll("li").length, 2);
  assert.equal(box!.querySelector("td:last-child")!.textContent, "0.5");
  assert.match(box!.querySelector("pre")!.textContent!, /^const a = \[1, 2\];\n\nconst end = "<\/details>";\s*$/);
  assert.match(box!.querySelector("blockquote")!.textContent!, /最後の一文。/);
  assert.match(box!.querySelector("p")!.textContent!, /本文です。太字と \$\{x\} と 漢字（?\(?かんじ/);
  box!.remove();
  assert.equal(document.body.textContent!.trim(), "", "something fell out of the panel");
  if (!styled) return;
  assert.equal(box!.style.backgroundColor, "rgba(138, 111, 92, 0.1)");
  assert.match(box!.style.borderLeft, /5px solid (#4caf50|rgb\(76, 175, 80\))/i);
  assert.equal(box!.style.lineHeight, "1.8");
  assert.equal(box!.lang, "ja");
}

test("JupyterLab and Notebook 7: marked and JupyterLab's own sanitiser", async () => {
  // The package is meant for bundlers; of its modules this one runs in Node as it is.
  const path = "@jupyterlab/apputils/lib/sanitizer.js";
  const { Sanitizer } = (await import(path)) as { Sanitizer: new () => { sanitize(html: string): string } };
  check(new Sanitizer().sanitize(await marked.parse(stored)), { styled: true });
});

test("VS Code: markdown-it, in a trusted workspace and through DOMPurify", () => {
  const html = new MarkdownIt({ html: true, linkify: true }).render(stored);
  check(html, { styled: true });
  check(createDOMPurify(new JSDOM("").window as never).sanitize(html), { styled: true });
});

test("GitHub: its published list of elements and attributes, without class and style", () => {
  const html = sanitizeHtml(new MarkdownIt({ html: true }).render(stored), {
    allowedTags: (
      "h1 h2 h3 h4 h5 h6 br b i strong em a pre code img tt div ins del sup sub p picture ol ul table thead tbody tfoot " +
      "blockquote dl dt dd kbd q samp var hr ruby rt rp li tr td th s strike summary details caption figure figcaption abbr " +
      "bdo cite dfn mark small source span time wbr"
    ).split(" "),
    allowedAttributes: {
      "*": ["align", "alt", "dir", "height", "href", "lang", "open", "role", "aria-label", "src", "title", "width"],
    },
  });
  check(html, { styled: false });
});

/** nbconvert before 7 (Debian 12, Kaggle) leaves Markdown inside HTML as it is: readable, and still inside. */
function checkUnparsed(html: string): void {
  const { document } = new JSDOM(`<body>${html}</body>`).window;
  const box = document.querySelector("details")!;
  for (const text of ["解説：データの分割", "何をしているか", "二つめ", "最後の一文。"])
    assert.ok(box.textContent!.includes(text), text);
  box.remove();
  assert.equal(document.body.textContent!.trim(), "");
}

const python = [process.env.PYTHON, "/usr/bin/python3", "python3"].find(
  (command) => command !== undefined && spawnSync(command, ["-m", "nbconvert", "--version"]).status === 0,
);

test("nbconvert, and nbconvert --embed-images with the flat form", {
  skip: python === undefined && "no nbconvert (apt-get install python3-nbconvert)",
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-"));
  const convert = (source: string, ...options: string[]) => {
    const notebook: Notebook = {
      nbformat: 4,
      nbformat_minor: 5,
      metadata: {},
      cells: [{ cell_type: "markdown", id: "p", metadata: { tags: [panelTag] }, source }],
    };
    writeFileSync(join(folder, "n.ipynb"), formatNotebook(notebook));
    execFileSync(python!, ["-m", "nbconvert", "--to", "html", "--template", "basic", ...options, "n.ipynb"], {
      cwd: folder,
      stdio: "pipe",
    });
    const page = new JSDOM(readFileSync(join(folder, "n.html"), "utf8")).window.document;
    return page.querySelector(".jp-RenderedHTMLCommon, .text_cell_render, .rendered_html")!.innerHTML;
  };
  try {
    const version = execFileSync(python!, ["-m", "nbconvert", "--version"], { encoding: "utf8" });
    if (Number.parseInt(version, 10) >= 7) check(convert(stored), { styled: true });
    else checkUnparsed(convert(stored.replace('"</details>"', '"end"')));
    check(convert(writeFlatPanel(panel, markdownRenderer()), "--embed-images"), { styled: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

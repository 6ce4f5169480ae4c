import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readNotebook } from "../../../src/notebook/document.js";
import { exportHtml } from "../../../src/notebook/export/export.js";
import { readLiveFiles } from "../../../src/notebook/export/live.js";
import { LivePageError } from "../../../src/notebook/live/errors.js";
import type { Notebook } from "../../../src/notebook/nbformat.js";

const tutorial = fileURLToPath(new URL("../../../../notebooks/socratic-training.ipynb", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "kaisetsu-live-"));
const folder = join(scratch, "book");
before(() => {
  mkdirSync(join(folder, "data"), { recursive: true });
  writeFileSync(join(scratch, "secret.txt"), "secret");
  writeFileSync(join(folder, "data/a.txt"), "a");
  writeFileSync(join(folder, "data/README.md"), "about");
  symlinkSync(join(scratch, "secret.txt"), join(folder, "data/link.txt"));
  symlinkSync(scratch, join(folder, "up"));
});
after(() => rmSync(scratch, { recursive: true }));

const book = (live: object, language = "typescript"): Notebook => ({
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { language_info: { name: language }, kaisetsu: { live } } as Notebook["metadata"],
  cells: [],
});

test("the tutorial's live page adds at most 3 MB, model and data included, and shows its parameters", async () => {
  const notebook = readNotebook(tutorial);
  const files = readLiveFiles(notebook, join(tutorial, ".."));
  const [plain, live] = [await exportHtml(notebook), await exportHtml(notebook, { live: { files } })];
  const added = Buffer.byteLength(live) - Buffer.byteLength(plain);
  assert.ok(added <= 3_000_000, `${added} bytes`);
  assert.match(
    live.replace(/<[^>]*>/g, ""),
    /\/\/ このページで実行するときの値\nlet gradient_accumulation_steps = 2;\nlet learning_rate = 0.0006;/,
  );
  assert.doesNotMatch(plain, /このページで実行するときの値/);
});

test("the metadata of a notebook reaches files in its own folder only; a user's option reaches any", () => {
  const paths = (live: object, extra?: string[]) => readLiveFiles(book(live), folder, extra).map(({ path }) => path);
  assert.deepEqual(paths({ files: ["data"] }), ["data/a.txt"], "no notes, and no link that leads out");
  assert.deepEqual(paths({ files: ["./data/a.txt"] }), ["data/a.txt"]);
  for (const path of ["../secret.txt", join(scratch, "secret.txt"), "data/link.txt", "up/secret.txt", "up"]) {
    assert.throws(() => paths({ files: [path] }), LivePageError, path);
  }
  assert.throws(() => paths({ files: ["nothing"] }), /nothing/);
  assert.throws(() => paths({ files: "data" }), LivePageError);
  assert.deepEqual(paths({}, [join(scratch, "secret.txt")]), ["../secret.txt"]);
});

test("a notebook in another language is refused", async () => {
  await assert.rejects(exportHtml(book({}, "python"), { live: { files: [] } }), /python/);
});

test("nothing of a notebook can end or open an element in what the page carries", async () => {
  const hostile = book({});
  const source = "</script><script>fired()</script><!-- <script>";
  hostile.cells.push({ cell_type: "code", metadata: {}, source, execution_count: null, outputs: [] });
  const html = await exportHtml(hostile, { live: { files: [] } });
  assert.equal(html.match(/<script/g)!.length, html.match(/<\/script>/g)!.length);
  assert.doesNotMatch(html, /<script>fired/);
});

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  ensureCellIds,
  formatNotebook,
  NotebookFormatError,
  parseNotebook,
  readNotebook,
  writeNotebook,
} from "../../src/notebook/document.js";
import { validateNotebook } from "../../src/notebook/validate.js";

const fixtures = new URL("../../../test/fixtures/", import.meta.url);

/** As Python's nbformat writes it. */
const jupyterFile = `{
 "cells": [
  {
   "attachments": {
    "a.png": {
     "image/png": "aGVsbG8="
    }
   },
   "cell_type": "markdown",
   "id": "m-1",
   "metadata": {
    "custom": {
     "big": 12345678901234567890,
     "exact": 1.0,
     "small": 1e-05,
     "text": "1.0"
    }
   },
   "source": [
    "# 見出し\\n",
    "一行\\r\\n",
    "二行"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 3,
   "id": "c-1",
   "metadata": {
    "tags": [
     "parameters"
    ]
   },
   "outputs": [
    {
     "name": "stdout",
     "output_type": "stream",
     "text": [
      "a\\n",
      "b"
     ]
    },
    {
     "data": {
      "application/json": {
       "nothing": NaN,
       "z": [],
       "é": {}
      },
      "image/png": "aGVsbG8=",
      "text/html": [
       "<p>\\n",
       "</p>"
      ]
     },
     "execution_count": 3,
     "metadata": {},
     "output_type": "execute_result"
    }
   ],
   "source": [
    "x"
   ]
  },
  {
   "cell_type": "raw",
   "id": "r-1",
   "metadata": {
    "format": "text/restructuredtext"
   },
   "source": []
  }
 ],
 "metadata": {
  "unknown": null
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
`;

test("a file written by Jupyter comes back byte for byte", () => {
  const notebook = parseNotebook(jupyterFile);
  assert.equal(notebook.cells[0]!.source, "# 見出し\n一行\r\n二行");
  assert.equal(formatNotebook(notebook), jupyterFile);
});

test("unsorted keys, other indentation and single-string texts mean the same notebook", () => {
  const shuffled = JSON.stringify({
    nbformat_minor: 5,
    nbformat: 4,
    metadata: {},
    cells: [{ source: "a\nb", metadata: {}, cell_type: "markdown", id: "x" }],
  });
  const text = formatNotebook(parseNotebook(`\uFEFF${shuffled}`));
  assert.match(text, /^\{\n "cells": \[\n {2}\{\n {3}"cell_type": "markdown",\n/);
  assert.match(text, /"source": \[\n {4}"a\\n",\n {4}"b"\n {3}\]/);
  assert.equal(formatNotebook(parseNotebook(text)), text);
});

test("writing replaces the file as a whole, and refuses what is not valid", () => {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-"));
  const path = join(folder, "a.ipynb");
  try {
    const notebook = readNotebook(new URL("sample.ipynb", fixtures).pathname);
    writeNotebook(path, notebook);
    assert.deepEqual(readdirSync(folder), ["a.ipynb"]);
    assert.equal(readFileSync(path, "utf8"), readFileSync(new URL("sample.ipynb", fixtures), "utf8"));
    const broken = structuredClone(notebook);
    (broken.cells[0] as { source: unknown }).source = 3;
    assert.throws(() => writeNotebook(path, broken), /cells\[0\]\.source/);
    assert.deepEqual(readNotebook(path), notebook);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what is no notebook is refused with the reason", () => {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-"));
  try {
    assert.throws(
      () => readNotebook(join(folder, "none.ipynb")),
      (error: Error) => {
        assert.ok(error instanceof NotebookFormatError);
        return /none\.ipynb: ENOENT/.test(error.message);
      },
    );
    writeFileSync(join(folder, "a.ipynb"), "PK\u0003");
    assert.throws(() => readNotebook(join(folder, "a.ipynb")), /a JSON file/);
  } finally {
    rmSync(folder, { recursive: true });
  }
  assert.throws(() => parseNotebook('{"nbformat": 3, "nbformat_minor": 0, "worksheets": []}'), /3\.0.*nbconvert/);
  assert.throws(() => parseNotebook("[]"), /no "nbformat"/);
  assert.throws(() => parseNotebook('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}'), /cells/);
});

test("each minor version has its own rules", () => {
  const notebook = (minor: number, cell: object) => ({
    nbformat: 4,
    nbformat_minor: minor,
    metadata: {},
    cells: [cell],
  });
  const markdown = { cell_type: "markdown", metadata: {}, source: "" };
  assert.deepEqual(validateNotebook(notebook(5, { ...markdown, id: "a" })), []);
  assert.match(validateNotebook(notebook(5, markdown)).join(), /cells\[0\]: must have required property 'id'/);
  assert.match(validateNotebook(notebook(5, { ...markdown, id: "a b" })).join(), /cells\[0\]\.id: must match pattern/);
  assert.match(validateNotebook(notebook(4, { ...markdown, id: "a" })).join(), /additional properties \(id\)/);
  assert.deepEqual(validateNotebook(notebook(1, { ...markdown, attachments: { "a.png": { "image/png": "" } } })), []);
  assert.match(validateNotebook(notebook(0, { ...markdown, attachments: {} })).join(), /attachments/);
  // A version newer than we know may have members that we do not know.
  assert.deepEqual(validateNotebook(notebook(9, { ...markdown, id: "a", novelty: 1 })), []);
});

test("a fault is reported at its place, and only there", () => {
  const file = JSON.parse(jupyterFile.replace("NaN", "0"));
  file.cells[1].outputs[0].text = 5;
  assert.deepEqual(
    validateNotebook(file).map((problem) => problem.split(":")[0]),
    ["cells[1].outputs[0].text", "cells[1].outputs[0].text"],
  );
  const twice = JSON.parse(jupyterFile.replace("NaN", "0"));
  twice.cells[1].id = "m-1";
  assert.deepEqual(validateNotebook(twice), ["cells[1].id: the same id as cells[0] (m-1)"]);
});

test("missing and repeated ids are made, the same ones each time", () => {
  const old = () => ({
    nbformat: 4 as const,
    nbformat_minor: 4,
    metadata: {},
    cells: ["a", "a", "b"].map((source) => ({ cell_type: "markdown" as const, metadata: {}, source })),
  });
  const [first, second] = [old(), old()];
  ensureCellIds(first);
  ensureCellIds(second);
  assert.deepEqual(first, second);
  assert.deepEqual(validateNotebook(first), []);
  const ids = first.cells.map((cell) => (cell as { id?: string }).id);
  assert.equal(new Set(ids).size, 3);
  const doubled = { ...first, cells: [...first.cells, { ...first.cells[0]! }] };
  ensureCellIds(doubled);
  assert.deepEqual(
    doubled.cells.slice(0, 3).map((cell) => (cell as { id?: string }).id),
    ids,
  );
  assert.deepEqual(validateNotebook(doubled), []);
});

test("for reading only, older formats and faulty files are taken for what they mean", () => {
  const version3 = JSON.stringify({
    nbformat: 3,
    nbformat_minor: 0,
    metadata: { name: "x" },
    worksheets: [
      {
        cells: [
          { cell_type: "heading", level: 2, source: ["題"] },
          {
            cell_type: "code",
            input: ["a\n", "b"],
            language: "python",
            prompt_number: 3,
            outputs: [
              { output_type: "pyout", prompt_number: 3, text: ["1"], html: "<b>1</b>", png: "eA==" },
              { output_type: "stream", stream: "stderr", text: "e" },
              { output_type: "pyerr", ename: "E", evalue: "v", traceback: ["t"] },
            ],
          },
        ],
      },
    ],
  });
  assert.throws(() => parseNotebook(version3), /3\.0/);
  const { cells } = parseNotebook(version3, "n", { repair: true });
  assert.equal(cells[0]!.source, "## 題");
  assert.deepEqual(cells[1], {
    cell_type: "code",
    metadata: {},
    source: "a\nb",
    execution_count: 3,
    outputs: [
      {
        output_type: "execute_result",
        execution_count: 3,
        data: { "text/plain": "1", "text/html": "<b>1</b>", "image/png": "eA==" },
        metadata: {},
      },
      { output_type: "stream", name: "stderr", text: "e" },
      { output_type: "error", ename: "E", evalue: "v", traceback: ["t"] },
    ],
  });
  const faulty = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: "python3" }, language_info: 3 },
    cells: [
      {
        cell_type: "code",
        source: "x",
        metadata: { tags: "no", collapsed: 1 },
        outputs: [{ output_type: "novelty", what: "?" }],
      },
      { cell_type: "poem", source: ["r"], metadata: null },
      "nothing",
    ],
  };
  const repaired = parseNotebook(JSON.stringify(faulty), "n", { repair: true });
  assert.deepEqual(validateNotebook(repaired), []);
  assert.deepEqual(
    repaired.cells.map(({ cell_type, source }) => [cell_type, source]),
    [
      ["code", "x"],
      ["raw", "r"],
    ],
  );
  assert.match(JSON.stringify(repaired.cells), /novelty/);
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import type { Ajv } from "ajv";
import { conforms } from "../../src/notebook/conforms.js";
import { notebookSchema } from "../../src/notebook/schema.js";

const Draft4 = createRequire(import.meta.url)("ajv-draft-04") as typeof Ajv;

test("the quick yes agrees with ajv about every notebook with one member changed", () => {
  const sample = readFileSync(new URL("../../../test/fixtures/sample.ipynb", import.meta.url), "utf8");
  const instead = [null, 0, -1, 1.5, "", "a,b", "x y", true, [], ["a", "a"], [1], ["a\n"], {}, { "a/b+json": 1 }];
  for (const minor of [0, 4, 5, 6]) {
    const schema = notebookSchema(minor);
    const validate = new Draft4({ strict: false }).compile(schema);
    const count = { valid: 0, faulty: 0 };
    const check = (file: unknown) => {
      const expected = validate(file);
      assert.equal(conforms(file, schema), expected, JSON.stringify(file).slice(0, 300));
      count[expected ? "valid" : "faulty"]++;
    };
    const notebook = smaller(JSON.parse(sample), minor);
    check(notebook);
    for (const [holder, name] of members(notebook)) {
      const before = holder[name];
      for (const value of instead) {
        holder[name] = value;
        check(notebook);
      }
      holder[name] = before;
      if (Array.isArray(holder)) continue;
      delete holder[name];
      check(notebook);
      holder[name] = before;
      holder.novelty = 1;
      check(notebook);
      delete holder.novelty;
    }
    assert.ok(count.valid > 100 && count.faulty > 100, JSON.stringify(count));
  }
});

type Json = Record<string, unknown>;

/** A cell of each kind and an output of each kind are enough. */
function smaller(notebook: { cells: Json[] } & Json, minor: number): Json {
  const seen = new Set<unknown>();
  const isNew = (kind: unknown) => !seen.has(kind) && seen.add(kind) !== undefined;
  const code = notebook.cells.filter((cell) => cell.cell_type === "code");
  const outputs = code.flatMap((cell) => cell.outputs as Json[]).filter((output) => isNew(output.output_type));
  const cells: Json[] = [
    { cell_type: "raw", id: "r", metadata: { format: "x", tags: ["a"] }, source: ["x"] },
    { cell_type: "markdown", id: "m", metadata: {}, source: "x", attachments: { "a.png": { "image/png": "eA==" } } },
    { cell_type: "code", id: "c", metadata: { collapsed: true, jupyter: {} }, source: "", execution_count: 1, outputs },
  ];
  for (const cell of cells) {
    if (minor < 5) delete cell.id;
    if (minor < 1) delete cell.attachments;
  }
  return { ...notebook, nbformat_minor: minor, cells };
}

function members(value: unknown): [Json, string][] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Json;
  return Object.keys(holder).flatMap((name) => [[holder, name] as [Json, string], ...members(holder[name])]);
}

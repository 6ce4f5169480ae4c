import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { lacks, runPython, sources } from "./python.js";

const skip = lacks("nbclient", "nbformat") ?? false;

function notebook(...cells: [source: string, tags?: string[]][]) {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: "kaisetsu", display_name: "TypeScript (kaisetsu)", language: "typescript" } },
    cells: cells.map(([source, tags = []], i) => ({
      cell_type: "code",
      id: `cell-${i}`,
      metadata: { tags },
      execution_count: null,
      outputs: [],
      source,
    })),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: outputs of a notebook, as JSON has them
type Output = any;

function execute(...cells: [string, string[]?][]) {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-nbclient-"));
  const file = join(folder, "n.ipynb");
  writeFileSync(file, JSON.stringify(notebook(...cells)));
  writeFileSync(join(folder, "helper.ts"), "export const twice = (n: number) => 2 * n;");
  const run = runPython(folder, [join(sources, "execute.py"), file]);
  const executed = JSON.parse(readFileSync(file, "utf8")) as ReturnType<typeof notebook>;
  rmSync(folder, { recursive: true, force: true });
  return { ...run, outputs: executed.cells.map((cell) => cell.outputs as Output[]) };
}

it("lets nbclient execute a notebook", { skip }, () => {
  const { status, output, outputs } = execute(
    [
      "import { twice } from './helper';\nimport * as tslab from 'tslab';\nconst live = tslab.newDisplay(); live.text('first')",
    ],
    ["console.log(await Promise.resolve(twice(21)));\ntwice(4)"],
    ["live.text('second')"],
    ["notebook.clearOutput(); [{ a: 1 }]"],
    ["try { prompt('?') } catch (error) { (error as Error).name }"],
    ["try { prompt('?') } catch (error) { console.log((error as Error).name) }"],
  );
  assert.equal(status, 0, output);
  assert.equal(String(outputs[0]![0].data["text/plain"]), "second");
  assert.deepEqual(outputs[1], [
    { name: "stdout", output_type: "stream", text: ["42\n"] },
    { data: { "text/plain": ["8"] }, execution_count: 2, metadata: {}, output_type: "execute_result" },
  ]);
  assert.match(String(outputs[3]![0].data["text/html"]), /<table>/);
  assert.deepEqual(String(outputs[5]![0].text), "StdinNotAllowedError\n");
});

it("makes nbclient stop at an error, and go on where that is allowed", { skip }, () => {
  const failed = execute(["const a = 1"], ["throw new Error('on purpose')"], ["a + 1"]);
  assert.notEqual(failed.status, 0);
  assert.match(failed.output, /Error: on purpose/);
  const allowed = execute(["const a = 1"], ["throw new Error('on purpose')", ["raises-exception"]], ["a + 1"]);
  assert.equal(allowed.status, 0, allowed.output);
  assert.equal(String(allowed.outputs[2]![0].data["text/plain"]), "2");
});

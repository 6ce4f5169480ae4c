import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { launchKernel } from "../../kernel/launch.js";
import type { CodeCell, Notebook } from "../../src/notebook/nbformat.js";
import { runNotebook } from "../../src/notebook/run/run.js";

const tslab = join(dirname(createRequire(import.meta.url).resolve("tslab/package.json")), "bin/tslab");
const root = fileURLToPath(new URL("../../../", import.meta.url));

test("displays and panels work in stock tslab, in several MIME types at once, and update in place", async () => {
  const cell = (source: string): CodeCell => ({
    cell_type: "code",
    source,
    metadata: {},
    execution_count: null,
    outputs: [],
  });
  const notebook: Notebook = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      cell(
        'import { display, explain, newDisplay } from "kaisetsu";\nconst live = newDisplay();\nlive.text("1"); explain("### 題\\n本文");',
      ),
      cell('live.bundle({ "text/html": "<b>2</b>", "text/plain": "2" });'),
    ],
  };
  const argv = [process.execPath, tslab, "kernel", "--config-path", "{connection_file}"];
  const kernel = await launchKernel({ argv, cwd: root });
  try {
    const result = await runNotebook(notebook, kernel, { timeout: 60 });
    assert.equal(result.status, "ok", JSON.stringify(notebook.cells));
  } finally {
    await kernel.stop(200);
  }
  const outputs = (notebook.cells[0] as CodeCell).outputs as { data: Record<string, unknown> }[];
  assert.deepEqual(outputs[0]!.data, { "text/html": "<b>2</b>", "text/plain": "2" });
  assert.match(outputs[1]!.data["text/markdown"] as string, /^<details class="kaisetsu"/);
  assert.deepEqual((notebook.cells[1] as CodeCell).outputs, []);
});

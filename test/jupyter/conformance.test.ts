import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { lacks, runPython, sources } from "./python.js";

it("passes Jupyter's own conformance suite", { skip: lacks("jupyter_kernel_test") ?? false }, () => {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-conformance-"));
  const { status, output } = runPython(folder, [join(sources, "conformance.py")]);
  assert.equal(status, 0, output);
  assert.match(output, /Ran \d+ tests/);
  assert.doesNotMatch(output, /skipped/);
  rmSync(folder, { recursive: true, force: true });
});

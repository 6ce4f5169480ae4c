import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

test("the package loads through import and through require, as the same module", async () => {
  const imported = await import("kaisetsu");
  const required = createRequire(import.meta.url)("kaisetsu");
  assert.deepEqual(Object.keys(required).sort(), Object.keys(imported).sort());
});

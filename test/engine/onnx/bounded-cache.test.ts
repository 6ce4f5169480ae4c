import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedCache } from "../../../src/engine/onnx/bounded-cache.js";

test("the least recently used entries go when there is no room, but never the last one used", () => {
  const dropped: string[] = [];
  const cache = new BoundedCache<{ name: string; bytes: number }>(({ name }) => dropped.push(name), 100);
  const use = (name: string, bytes: number) => cache.get(name, () => ({ name, bytes }));
  use("a", 40);
  use("b", 40);
  use("a", 40);
  use("c", 40);
  assert.deepEqual(dropped, ["b"]);
  use("huge", 500);
  assert.deepEqual(dropped, ["b", "a", "c"]);
  use("d", 40);
  assert.deepEqual(dropped, ["b", "a", "c", "huge"]);
  cache.clear();
  assert.deepEqual(dropped.at(-1), "d");
  for (let i = 0; i < 100; i++) use(`${i}`, 0);
  assert.equal(dropped.length, 5 + 100 - 64, "at most 64 in any case");
});

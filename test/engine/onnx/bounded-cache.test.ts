import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedCache, MemoryPool } from "../../../src/engine/onnx/bounded-cache.js";

test("the least recently used entries go when there is no room, but never the last one used", () => {
  const dropped: string[] = [];
  const cache = new BoundedCache<{ name: string; bytes: number }>(
    ({ name }) => dropped.push(name),
    new MemoryPool(100),
  );
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

test("caches that share memory lose what was used least recently in any of them", () => {
  const dropped: string[] = [];
  const pool = new MemoryPool(100);
  const [training, evaluation] = ["training", "evaluation"].map(
    (name) => new BoundedCache<{ name: string; bytes: number }>((entry) => dropped.push(`${name} ${entry.name}`), pool),
  );
  const use = (cache: typeof training, name: string) => cache!.get(name, () => ({ name, bytes: 30 }));
  use(training, "a");
  use(training, "b");
  use(evaluation, "a");
  use(training, "a");
  assert.equal(pool.room, 10);
  use(evaluation, "b");
  assert.deepEqual(dropped, ["training b"]);
  use(evaluation, "c");
  assert.deepEqual(dropped, ["training b", "evaluation a"]);
  evaluation!.clear();
  assert.equal(pool.room, 70);
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Dataset, DatasetError, permutation } from "kaisetsu";

const folder = mkdtempSync(join(tmpdir(), "kaisetsu-dataset-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const row = (text: string) => ({ messages: [{ role: "user", content: text }] });

test("JSONL and a JSON array give the same rows, through a byte order mark, CRLF and blank lines", () => {
  const rows = [{ ...row("幸せとは？"), theme: "幸福" }, row("勇気とは？\n続き"), row("}],[{")];
  const lines = rows.map((r) => JSON.stringify(r));
  const sources = [
    file("plain.jsonl", lines.join("\n")),
    file("windows.jsonl", `\uFEFF\r\n${lines.join("\r\n\r\n")}\r\n`),
    file("compact.json", `\uFEFF${JSON.stringify(rows)}`),
    file("pretty.json", `\n${JSON.stringify(rows, null, 2)}\n`),
  ];
  for (const source of sources) assert.deepEqual(Dataset.fromJsonl(source).toArray(), rows, source);
});

test("every fault in a dialogue file is told with its file and line", () => {
  const good = JSON.stringify(row("a"));
  const cases: [name: string, content: string | Uint8Array, line: number | undefined, message: RegExp][] = [
    ["no-messages.jsonl", `${good}\n\n{"text":"a","id":1}\n`, 3, /no "messages" \(its keys: "text", "id"\)/],
    ["cut.jsonl", `${good}\n${good.slice(0, 20)}`, 2, /not valid JSON/],
    [
      "role.jsonl",
      '{"messages":[{"role":"bot","content":"a"}]}',
      1,
      /messages\[0\] has the unknown role "bot": use "system"/,
    ],
    ["no-role.jsonl", '{"messages":[{"content":"a"}]}', 1, /unknown role nothing/],
    ["content.jsonl", '{"messages":[{"role":"user","content":[1]}]}', 1, /content must be a string, got a list/],
    ["null.jsonl", '{"messages":[{"role":"user","content":null}]}', 1, /content must be a string, got null/],
    ["blank.jsonl", `${good}\n{"messages":[{"role":"user","content":" "}]}`, 2, /messages\[0\]\.content is empty/],
    ["none.jsonl", '{"messages":[]}', 1, /"messages" is empty/],
    ["object.jsonl", '{"messages":{"role":"user"}}', 1, /"messages" must be a list/],
    ["number.jsonl", `${good}\n7`, 2, /a row must be an object/],
    ["empty.jsonl", "\n\n", undefined, /no dialogues in this file/],
    ["empty.json", "[]", undefined, /no dialogues in this file/],
    ["array.json", `[\n  ${good},\n  {\n    "text": "a"\n  }\n]`, 3, /no "messages"/],
    ["array-cut.json", `[\n  ${good},\n  ${good}\n`, 4, /not valid JSON/],
    ["array-typo.json", `[\n  ${good},\n  {"messages" 3}\n]`, 3, /not valid JSON/],
    ["sjis.jsonl", Buffer.from([...Buffer.from(`${good}\n{"`), 0x8d, 0x4b, 0x82, 0xb9]), 2, /not UTF-8 text/],
  ];
  for (const [name, content, line, message] of cases) {
    const path = file(name, content);
    assert.throws(
      () => Dataset.fromJsonl(path),
      (error) => {
        assert.ok(error instanceof DatasetError, name);
        assert.equal(error.line, line, `${name}: ${error.message}`);
        assert.ok(error.message.startsWith(line === undefined ? `${path}: ` : `${path}:${line}: `), error.message);
        assert.match(error.message, message);
        return true;
      },
    );
  }
  assert.throws(() => Dataset.fromJsonl(join(folder, "missing.jsonl")), /missing\.jsonl: no such file/);
  assert.throws(() => Dataset.fromJsonl(folder), /is a folder/);
});

test("the methods leave the dataset as it was", () => {
  const source = [3, 1, 2];
  const numbers = Dataset.fromArray(source);
  source.push(9);
  assert.deepEqual(numbers.map((x, i) => x * 10 + i).toArray(), [30, 11, 22]);
  assert.deepEqual(numbers.filter((x) => x > 1).toArray(), [3, 2]);
  assert.deepEqual(numbers.select([2, 0, 0]).toArray(), [2, 3, 3]);
  assert.deepEqual([...numbers], [3, 1, 2]);
  assert.equal(numbers.length, 3);
  assert.equal(numbers.get(-1), 2);
  for (const index of [3, -4, 0.5]) assert.throws(() => numbers.get(index), /no row .*: the dataset has 3 rows/);
});

test("shuffle takes the order of Python's datasets for the seed", () => {
  const dataset = Dataset.fromArray(Array.from({ length: 50 }, (_, i) => i));
  assert.deepEqual(
    dataset.shuffle({ seed: 42 }).toArray(),
    permutation(50, { seed: 42, generator: "numpy_default_rng" }),
  );
});

test("shuffling without a seed is the same every time", () => {
  const dataset = Dataset.fromArray([1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(dataset.shuffle().toArray(), dataset.shuffle({ seed: 42 }).toArray());
  assert.notDeepEqual(dataset.shuffle().toArray(), dataset.toArray());
});

test("the split is int(n * 0.8) rows of numpy's permutation against at most 50 of the rest", () => {
  for (const [n, train, test] of [
    [10, 8, 2],
    [21, 16, 5],
    [592, 473, 50],
    [2662, 2129, 50],
  ] as const) {
    const order = permutation(n, { seed: 7, generator: "numpy" });
    const split = Dataset.fromArray(Array.from({ length: n }, (_, i) => i)).trainTestSplit({
      test_size: 0.2,
      seed: 7,
      max_test_size: 50,
    });
    assert.deepEqual(split.train.toArray(), order.slice(0, train));
    assert.deepEqual(split.test.toArray(), order.slice(train, train + test));
    const sides = new Set([...split.train, ...split.test]);
    assert.equal(sides.size, train + test, "no row on both sides");
  }
});

test("a split that leaves a side empty is refused", () => {
  const rows = (n: number) => Dataset.fromArray(Array.from({ length: n }, (_, i) => i));
  assert.throws(() => rows(1).trainTestSplit(), /1 rows cannot be split/);
  assert.throws(() => rows(0).trainTestSplit(), DatasetError);
  assert.throws(() => rows(5).trainTestSplit({ test_size: 5 }), DatasetError);
  assert.throws(() => rows(5).trainTestSplit({ test_size: 1.5 }), RangeError);
  assert.throws(() => rows(5).trainTestSplit({ test_size: 0.2, max_test_size: 0 }), RangeError);
  assert.equal(rows(5).trainTestSplit({ test_size: 3 }).test.length, 3);
});

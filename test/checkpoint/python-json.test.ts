import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPythonFloat, PythonFloat, parsePythonJson, toPythonJson } from "../../src/checkpoint/python-json.js";

test("floats are written as Python's repr writes them", () => {
  // Left: repr() of CPython 3.
  const cases: [string, number][] = [
    ["30.0", 30],
    ["0.0", 0],
    ["-0.0", -0],
    ["8e-05", 8e-5],
    ["0.0001", 1e-4],
    ["1e-07", 1e-7],
    ["1.234e+16", 1.234e16],
    ["1e+16", 1e16],
    ["1000000000000000.0", 1e15],
    ["123456789.125", 123456789.125],
    ["4174940160.0", 4174940160],
    ["0.7272727272727273", 8 / 11],
    ["-2.5e-10", -2.5e-10],
    ["1.7976931348623157e+308", Number.MAX_VALUE],
    ["NaN", Number.NaN],
    ["-Infinity", -Infinity],
  ];
  for (const [text, value] of cases) assert.equal(formatPythonFloat(value), text);
});

test("a document is written as json.dumps(indent=2, sort_keys=True) writes it", () => {
  const document = { b: [1, new PythonFloat(2), "é\n日本"], a: {}, c: [], d: null, e: { z: true, y: 1.5 } };
  assert.equal(
    toPythonJson(document),
    '{\n  "a": {},\n  "b": [\n    1,\n    2.0,\n    "\\u00e9\\n\\u65e5\\u672c"\n  ],\n  "c": [],\n  "d": null,\n' +
      '  "e": {\n    "y": 1.5,\n    "z": true\n  }\n}\n',
  );
});

test("bare NaN and Infinity are read, and the same words inside strings are left alone", () => {
  const read = parsePythonJson(
    '{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN \\" Infinity", "NaN": 1e-05}',
  ) as Record<string, unknown>;
  assert.ok(Number.isNaN(read.a));
  assert.deepEqual(read.b, [Infinity, -Infinity]);
  assert.equal(read.c, 'NaN " Infinity');
  assert.equal(read.NaN, 1e-5);
  assert.throws(() => parsePythonJson('{"a": nan}'), SyntaxError);
});

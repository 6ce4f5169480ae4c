import assert from "node:assert/strict";
import { test } from "node:test";
import type { Notebook } from "../../src/notebook/nbformat.js";
import { AssignedText, injectParameters, ParameterError, parseAssignment } from "../../src/notebook/run/parameters.js";

function notebook(parameters: string | undefined): Notebook {
  const cell = (source: string, tags: string[]) => ({
    cell_type: "code" as const,
    metadata: { tags },
    source,
    execution_count: null,
    outputs: [],
  });
  const cells = [cell("first", []), cell("last", [])];
  if (parameters !== undefined) cells.splice(1, 0, cell(parameters, ["parameters"]));
  return { nbformat: 4, nbformat_minor: 5, metadata: {}, cells };
}

async function injected(declarations: string, assignments: string[]) {
  const target = notebook(declarations);
  const warnings = await injectParameters(target, Object.fromEntries(assignments.map(parseAssignment)));
  assert.deepEqual(target.cells[2]!.metadata.tags, ["injected-parameters"]);
  return { source: target.cells[2]!.source.split("\n").slice(1), warnings, target };
}

test("values are JSON or text, as the notebook declares them", async () => {
  const declarations = `const data_file: string = "a.jsonl";
let max_steps = -1, rate = 8e-5;
const name = "x";
const flags: string[] = [];
const anything = undefined;`;
  const { source, warnings } = await injected(declarations, [
    "data_file=123",
    "max_steps=20",
    "rate=-1e-3",
    'name="quoted"',
    'flags=["a","b"]',
    "anything=plain text = with equals",
  ]);
  assert.deepEqual(warnings, []);
  assert.deepEqual(source, [
    'let data_file: string = "123";',
    "let max_steps = 20;",
    "let rate = -0.001;",
    'let name = "quoted";',
    'let flags: string[] = ["a","b"];',
    'let anything = "plain text = with equals";',
  ]);
});

test("a value that does not fit its declaration is refused before anything runs", async () => {
  await assert.rejects(injected("const max_steps = 5;", ["max_steps=many"]), (error: Error) => {
    assert.ok(error instanceof ParameterError);
    return /"max_steps" is a number in the notebook; "many"/.test(error.message);
  });
});

test("an unknown name is a warning, and an earlier injected cell is replaced", async () => {
  const { target, warnings } = await injected("const seed = 1;", ["sede=2"]);
  assert.match(warnings.join(), /no parameter "sede" \(it has: seed\)/);
  assert.deepEqual(await injectParameters(target, { seed: 3 }), []);
  assert.deepEqual(
    target.cells.map((cell) => cell.source),
    ["first", "const seed = 1;", "// parameters of this run\nlet seed = 3;", "last"],
  );
});

test("without a tagged cell the values go to the top, with a warning", async () => {
  const target = notebook(undefined);
  assert.match((await injectParameters(target, { a: new AssignedText("1"), b: "1" })).join(), /no cell tagged/);
  assert.match(target.cells[0]!.source, /let a = 1;\nlet b = "1";/);
});

test("without parameters the notebook stays as it is", async () => {
  const target = notebook("const seed = 1;");
  const before = structuredClone(target);
  assert.deepEqual(await injectParameters(target, {}), []);
  assert.deepEqual(target, before);
});

test("an assignment needs a variable's name", () => {
  for (const wrong of ["x", "=1", "a-b=1", "1a=2", "a;b=1"])
    assert.throws(() => parseAssignment(wrong), ParameterError);
  assert.deepEqual(parseAssignment("変数=1"), ["変数", new AssignedText("1")]);
});

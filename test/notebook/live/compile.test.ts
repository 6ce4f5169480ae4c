import assert from "node:assert/strict";
import { test } from "node:test";
import { CellSyntaxError, compileCell } from "../../../src/notebook/live/worker/compile.js";
import { Scope } from "../../../src/notebook/scope.js";

/** Runs cells one after the other, as the page's worker does. */
function notebook(modules: Record<string, object> = {}) {
  const scope = new Scope();
  const asked: unknown[][] = [];
  return {
    asked,
    scope: scope.object,
    missing: (code: string) => compileCell(code, known(scope)).missing,
    async run(code: string): Promise<unknown> {
      const { js } = compileCell(code, known(scope));
      const declared: { settle(): string[] }[] = [];
      const api = {
        declare: (accessors: Parameters<Scope["declare"]>[0]) => declared.push(scope.declare(accessors)),
        import: async (name: string) => modules[name],
        meta: { url: "file:///cell" },
        ask: async (...question: unknown[]) => asked.push(question) && "答え",
        askInVain: (kind: string) => assert.fail(`${kind} in vain`),
      };
      const make = new Function(`return ${js}`)() as (api: object, scope: object) => () => Promise<{ value?: unknown }>;
      try {
        return (await make(api, scope.object)())?.value;
      } finally {
        for (const names of declared) names.settle();
      }
    },
  };
}

const known = (scope: Scope) => ({
  isEarlier: (name: string) => name in scope.object,
  isGlobal: (name: string) => name in globalThis || name === "prompt",
});

test("types go; the last expression is the value; a promise is not waited for", async () => {
  const { run } = notebook();
  assert.equal(await run("interface P { a: number }\nconst p: P = { a: 3 } as P;\np.a! * 2 satisfies number"), 6);
  assert.equal(await run("enum Color { Red = 1, Green }\nColor.Green"), 2);
  assert.equal(
    await run("class A<T> { constructor(private readonly x: T) {} get y(): T { return this.x; } }\nnew A(4).y;"),
    4,
  );
  assert.equal(await run("(1, 2) // three"), 2);
  assert.match(compileCell("new Promise(() => {})", known(new Scope())).js, /return\{value:\(new Promise/);
  assert.equal(await run("const nothing = 1;"), undefined);
  assert.equal(await run("await Promise.resolve(5)"), 5);
});

test("a later cell and a function of an earlier one see the same variable", async () => {
  const { run } = notebook();
  await run("let n = 1;\nfunction inc() { return ++n; }\nvar { a, b: [c] } = { a: 1, b: [2] };");
  assert.equal(await run("n += 10; inc(); n"), 12);
  assert.deepEqual(await run("({ n, a, c })"), { n: 12, a: 1, c: 2 });
  assert.equal(await run("[a, c] = [c, a]; ({ n = 5 } = {}); [a, c, n].join()"), "2,1,5");
  assert.equal(await run("for (n of [7, 8]) {}\ninc()"), 9);
  assert.equal(await run("typeof neverMade"), "undefined");
});

test("names may be declared again; inner names hide earlier ones; a constant stays one", async () => {
  const { run } = notebook();
  await run("const x = 1;\nconst first = () => x;");
  assert.equal(await run("const x = 2; first() + x"), 3);
  assert.equal(await run("((x: number) => { const first = x; return first; })(9)"), 9);
  assert.equal(await run("{ let x = 5; x }\ntry { throw 1 } catch (x) { }\nx"), 2);
  await assert.rejects(run("x = 3"), /Assignment to constant variable 'x'/);
});

test("a function of an earlier cell is called without the scope as its `this`", async () => {
  const { run } = notebook();
  await run("function self(this: unknown, ...rest: unknown[]) { return this; }");
  assert.equal(await run("self()"), undefined);
  assert.equal(await run("self`x`"), undefined);
});

test("imports of every kind, live and for later cells", async () => {
  const counter = { default: "d", n: 1, "odd name": 2 };
  const { run } = notebook({ counter });
  assert.deepEqual(
    await run(
      'import d, { n as m, type T, "odd name" as odd } from "counter";\nimport * as all from "counter";\n[d, m, odd, all.n]',
    ),
    ["d", 1, 2, 1],
  );
  counter.n = 5;
  assert.equal(await run("m"), 5);
  assert.equal(await run('(await import("counter")).n'), 5);
  assert.equal(await run("import.meta.url"), "file:///cell");
  assert.equal(await run("export const e = 1;\nexport default e + 1"), undefined);
  assert.equal(await run("e"), 1);
});

test("names that nobody has made are reported, and those of a failed cell are gone", async () => {
  const { run, missing } = notebook();
  assert.deepEqual(
    missing(
      "const a = missing1 + Math.PI; obj.missing2; ({ missing3: 1 }); function f(q) { return q + arguments.length }",
    ),
    ["missing1", "obj"],
  );
  await assert.rejects(run("const before = 1;\nthrow new Error('x');\nconst after = 2;"), /x/);
  assert.deepEqual(missing("before; after"), ["after"]);
});

test("prompt waits for its reader where a cell can wait", async () => {
  const { run, asked } = notebook();
  assert.equal(
    await run("const q = async (s: string) => prompt(s + '？', 'x');\n(await q('名前')) + prompt('もう一度')"),
    "答え答え",
  );
  assert.deepEqual(asked, [
    ["prompt", "名前？", "x"],
    ["prompt", "もう一度"],
  ]);
});

test("what cannot be read is an error with its line", () => {
  const { missing } = notebook();
  for (const [code, line] of [
    ["const a = 1;\nconst b = ;", 2],
    ["{", 1],
    ["let a = 1;\n\nlet a = 2;", 3],
  ] as const) {
    assert.throws(
      () => missing(code),
      (error) => error instanceof CellSyntaxError && error.line === line,
      code,
    );
  }
});

test("lines stay where they were", async () => {
  const { run } = notebook({ m: {} });
  const code = 'import {\n  a,\n} from "m";\n\ninterface P {\n  x: number;\n}\nthrow new Error("here");';
  const error = await run(code).catch((error: Error) => error);
  // `new Function` puts two lines in front, the compiler one.
  assert.match((error as Error).stack!, /<anonymous>:11:/);
});

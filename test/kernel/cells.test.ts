import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { plain, startKernel, type TestKernel } from "./session.js";

describe("cells", () => {
  let kernel: TestKernel;
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-cells-"));

  before(async () => {
    const esm = join(folder, "node_modules/only-esm");
    mkdirSync(join(esm, "lib"), { recursive: true });
    writeFileSync(
      join(esm, "package.json"),
      JSON.stringify({
        name: "only-esm",
        type: "module",
        exports: { ".": { import: "./lib/main.js" }, "./sub": { import: "./lib/sub.js" } },
      }),
    );
    writeFileSync(
      join(esm, "lib/main.js"),
      "export const answer = 42; export let count = 0; export const inc = () => ++count;",
    );
    writeFileSync(
      join(esm, "lib/main.d.ts"),
      "export const answer: number; export let count: number; export function inc(): number;",
    );
    writeFileSync(join(esm, "lib/sub.js"), "export default class Sub { hi() { return 'sub' } }");
    writeFileSync(join(esm, "lib/sub.d.ts"), "export default class Sub { hi(): string }");
    const cjs = join(folder, "node_modules/old-cjs");
    mkdirSync(cjs);
    writeFileSync(
      join(cjs, "package.json"),
      JSON.stringify({ name: "old-cjs", main: "index.js", types: "index.d.ts" }),
    );
    writeFileSync(join(cjs, "index.js"), "const names = ['a']; for (const n of names) module.exports[n] = () => n;");
    writeFileSync(join(cjs, "index.d.ts"), "export function a(): string;");
    kernel = await startKernel(folder);
  });
  after(async () => {
    await kernel?.stop();
    rmSync(folder, { recursive: true });
  });

  it("prints, waits and shows the last expression", async () => {
    const ran = await kernel.run("console.log('hello, world');\nconst six = await Promise.resolve(6);\nsix * 7");
    assert.deepEqual(ran.types, ["stream", "execute_result"]);
    assert.equal(ran.stdout, "hello, world\n");
    assert.equal(ran.result, "42");
    assert.equal(ran.reply.status, "ok");
    assert.equal(ran.messages[0]?.header.msg_type, "execute_input");
  });

  it("shows nothing for undefined, null and a declaration", async () => {
    for (const code of ["undefined", "null", "let nothing = 3", "if (true) { 5 }"]) {
      assert.deepEqual((await kernel.run(code)).types, [], code);
    }
  });

  it("lets later cells read, assign and declare anew", async () => {
    await kernel.run(
      "let n = 1; const { deep: [d] } = { deep: ['x'] }; function readN() { return n } enum Color { Red, Blue }",
    );
    assert.equal((await kernel.run("n = 5; [readN(), d, Color.Blue]")).result, "[ 5, 'x', 1 ]");
    assert.equal((await kernel.run("n++; ({ n, d })")).result, "{ n: 6, d: 'x' }");
    assert.equal((await kernel.run("const n = 'text'; n.length")).result, "4");
    assert.equal((await kernel.run("[n, readN()]")).result, "[ 'text', 6 ]");
    assert.equal(
      (await kernel.run("{ let n = 0; n++ } for (const d of [1]) {} ; (function (n: number) { return n })(3)")).result,
      "3",
    );
  });

  it("keeps classes, interfaces and generics across cells", async () => {
    await kernel.run(
      "interface Point { x: number } class Box<T> { constructor(public value: T) {} get() { return this.value } }",
    );
    assert.equal((await kernel.run("const box = new Box<Point>({ x: 3 }); box.get().x")).result, "3");
    const wrong = await kernel.run("const s: string = box.get().x");
    assert.equal(wrong.reply.ename, "TypeScriptError");
    // Another Point does not change what the box holds.
    await kernel.run("interface Point { y: string }");
    assert.equal((await kernel.run("const old: number = box.get().x; const p: Point = { y: 'a' }; old")).result, "3");
  });

  it("keeps a value whose name another cell uses in a type only", async () => {
    await kernel.run("const model = { a: 1 }; interface Shape { x: number } const shape: Shape = { x: 2 }");
    await kernel.run(
      "interface Shape { y: string }\nfunction use(m: typeof model, s: typeof shape) { return m.a + s.x }",
    );
    assert.equal((await kernel.run("({ model, used: use(model, shape) })")).result, "{ model: { a: 1 }, used: 3 }");
    assert.equal((await kernel.run("const other: Shape = { y: 'new' }; other.y")).result, "'new'");
    await kernel.run("enum Level { Low, High } class Node1 { next?: Node1 }");
    await kernel.run(
      "function pick(l: typeof Level, n: typeof Node1, k: keyof typeof Level) { return new n() && l[k] }",
    );
    assert.equal((await kernel.run("pick(Level, Node1, 'High')")).result, "1");
  });

  it("lets later cells see a `var` that was declared in a block", async () => {
    await kernel.run(
      "if (true) { var inBlock = 'a' } for (var round = 0; round < 2; round++) { var { deep } = { deep: 5 } }",
    );
    assert.equal((await kernel.run("round++; [inBlock.length, round, deep]")).result, "[ 1, 3, 5 ]");
  });

  it("takes every form of export", async () => {
    const ran = await kernel.run(
      "export const exported = 1; export default class { m() {} }\nexport { exported as renamed }; exported",
    );
    assert.equal(ran.result, "1");
    assert.equal((await kernel.run("export default function () {}")).reply.status, "ok");
    assert.equal((await kernel.run("exported")).result, "1");
  });

  it("shows promises as Node does", async () => {
    const ran = await kernel.run("[Promise.resolve(3), new Promise<void>(() => {})]");
    assert.equal(ran.result, "[ Promise { 3 }, Promise { <pending> } ]");
  });

  it("ends a cell that throws what cannot be looked at", async () => {
    const ran = await kernel.run("throw new Proxy(new Error('x'), { get() { throw new Error('trap') } })");
    assert.equal(ran.reply.ename, "Uncaught");
    assert.equal((await kernel.run("class Own extends Error {}; throw new Own('m')")).reply.ename, "Own");
  });

  it("blocks a cell with a type error, naming its place, unless told not to", async () => {
    const bad = await kernel.run("const fine = 1\nconst bad: number = 'a'");
    assert.equal(bad.reply.status, "error");
    assert.match(bad.reply.evalue!, /^cell \d+:2:7 - Type 'string' is not assignable to type 'number'/);
    assert.match(plain(bad.reply.traceback), /> 2 \| const bad: number = 'a'\n {4}\| {7}\^\^\^/);
    assert.deepEqual(bad.types, ["error"]);
    assert.equal((await kernel.run("// @ts-nocheck\nconst bad: number = 'a'; bad")).result, "'a'");
    assert.equal((await kernel.run("// @ts-ignore\nconst odd: number = 'b'; odd")).result, "'b'");
    await kernel.run("notebook.settings.types = 'off'");
    assert.equal((await kernel.run("const off: number = 'c'; off")).result, "'c'");
    await kernel.run("notebook.settings.types = 'warn'");
    const warned = await kernel.run("const warn: number = 'd'; warn");
    assert.equal(warned.result, "'d'");
    assert.match(plain([warned.stderr]), /cell \d+:1:7 - error TS2322/);
    await kernel.run("notebook.settings.types = 'block'");
    assert.equal((await kernel.run("let (")).reply.ename, "SyntaxError");
  });

  it("reports an error with the cell's lines and without the kernel's own", async () => {
    await kernel.run(
      "function fail(depth: number): never {\n  if (depth === 0)\n    throw new RangeError('too deep')\n  return fail(depth - 1)\n}",
    );
    const count = kernel.client && (await kernel.run("0")).reply.execution_count!;
    const ran = await kernel.run("interface Erased { a: 1 }\n\nawait null\nfail(1)");
    assert.equal(ran.reply.ename, "RangeError");
    assert.equal(ran.reply.evalue, "too deep");
    const text = plain(ran.reply.traceback);
    assert.match(
      text,
      new RegExp(
        `RangeError: too deep\n    at fail \\(cell ${count - 1}:3:11\\)\n    at fail \\(cell ${count - 1}:4:10\\)\n    at cell ${count + 1}:4:1\n`,
      ),
    );
    assert.doesNotMatch(text, /kaisetsu|node:internal|runner|__cell/);
    const inner = await kernel.run("require('./missing')");
    assert.match(plain(inner.reply.traceback), /^Error: Cannot find module[\s\S]*\n {4}at cell \d+:1:1 \{/);
    assert.doesNotMatch(plain(inner.reply.traceback), /node:internal/);
    const [message] = ran.messages.filter(({ header }) => header.msg_type === "error");
    assert.deepEqual(message?.content, { ename: "RangeError", evalue: "too deep", traceback: ran.reply.traceback });
  });

  it("keeps the earlier meaning of a name whose declaration was never reached", async () => {
    await kernel.run("const kept = 'old'; let reached = 0");
    await kernel.run("let reached = 1; throw new Error('stop'); const kept = 5");
    assert.equal((await kernel.run("[kept.toUpperCase(), reached]")).result, "[ 'OLD', 1 ]");
  });

  it("imports ES-only packages through their exports map, old CommonJS and built-in modules", async () => {
    assert.equal(
      (await kernel.run("import { answer, count, inc } from 'only-esm'; inc(); [answer, count]")).result,
      "[ 42, 1 ]",
    );
    assert.equal((await kernel.run("inc(); count")).result, "2");
    assert.equal((await kernel.run("import Sub from 'only-esm/sub'; new Sub().hi()")).result, "'sub'");
    assert.equal(
      (await kernel.run("import * as old from 'old-cjs'; import { a } from 'old-cjs'; [old.a(), a()]")).result,
      "[ 'a', 'a' ]",
    );
    assert.equal(
      (
        await kernel.run(
          "import path from 'node:path'; import { sep, type ParsedPath } from 'path'; path.join('a', sep)",
        )
      ).result,
      "'a/'",
    );
    assert.equal((await kernel.run("(await import('only-esm')).answer")).result, "42");
    assert.equal((await kernel.run("const fs = require('fs'); typeof fs.readFileSync")).result, "'function'");
    const missing = await kernel.run("import nothing from 'no-such-package'");
    assert.match(missing.reply.evalue!, /Cannot find module 'no-such-package'/);
  });

  it("gives kaisetsu itself to a notebook in a folder without it", async () => {
    const ran = await kernel.run(
      "import * as kaisetsu from 'kaisetsu'; import type { NotebookHost } from 'kaisetsu'; typeof kaisetsu",
    );
    assert.equal(ran.result, "'object'");
  });

  it("loads local TypeScript and JSON, again when they changed", async () => {
    writeFileSync(join(folder, "base.ts"), "export const base: number = 1;");
    writeFileSync(
      join(folder, "util.ts"),
      "import { base } from './base.js';\nexport function value(): number { return base + 1 }\nexport interface T { a: number }",
    );
    writeFileSync(join(folder, "data.json"), '{"v": 1}');
    const code = "import { value, type T } from './util'; import data from './data.json'; [value(), data.v]";
    assert.equal((await kernel.run(code)).result, "[ 2, 1 ]");
    writeFileSync(join(folder, "base.ts"), "export const base: number = 100;");
    writeFileSync(join(folder, "data.json"), '{"v": 22}');
    assert.equal((await kernel.run(code)).result, "[ 101, 22 ]");
    writeFileSync(join(folder, "util.ts"), "export const value = (): string => 'text'; export type T = 1;");
    assert.equal((await kernel.run(code)).result, "[ 'text', 22 ]");
  });

  it("reports type errors in local modules with their place, as those of the cell", async () => {
    writeFileSync(join(folder, "deep.ts"), "export const one = 1;\nexport const wrong: number = 'text';");
    writeFileSync(join(folder, "outer.ts"), "export { one } from './deep';");
    const blocked = await kernel.run("import { one } from './outer'; one");
    assert.match(blocked.reply.evalue!, /^deep\.ts:2:14 - Type 'string' is not assignable to type 'number'/);
    assert.match(plain(blocked.reply.traceback), /> 2 \| export const wrong/);
    assert.equal((await kernel.run("// @ts-nocheck\nimport { one } from './outer'; one")).result, "1");
    writeFileSync(join(folder, "deep.ts"), "export const one = 11;");
    assert.equal((await kernel.run("import { one } from './outer'; one")).result, "11");
  });

  it("takes JSX where TypeScript makes no sense, with what earlier cells define", async () => {
    assert.match((await kernel.run("<b>no React</b>")).reply.evalue!, /This JSX tag requires 'React' to be in scope/);
    await kernel.run(
      "const React = { createElement: (type: any, props: any, ...children: any[]) => [typeof type, props, children] }",
    );
    await kernel.run("function Name(props: { of: string }) { return <i>{props.of}</i> }");
    assert.equal((await kernel.run("<Name of='x'>{1 + 1}</Name>")).result, "[ 'function', { of: 'x' }, [ 2 ] ]");
    assert.equal((await kernel.run("<Name of='x' />")).result, "[ 'function', { of: 'x' }, [] ]");
    assert.equal((await kernel.run("<number>(3 as any)")).result, "3");
  });

  it("shows what child processes and raw descriptors print, in order and under their cell", async () => {
    const ran = await kernel.run(
      "import { execSync, spawn } from 'child_process'; import { writeSync } from 'fs';\n" +
        "console.log('a'); execSync('echo b; echo e >&2; sleep 0.3; echo c', { stdio: 'inherit' }); console.log('d');\n" +
        "await new Promise((done) => spawn('echo', ['解説'], { stdio: 'inherit' }).on('exit', done)); writeSync(1, 'f\\n')",
    );
    assert.equal(ran.stdout, "a\nb\nc\nd\n解説\nf\n");
    assert.equal(ran.stderr, "e\n");
  });

  it("goes on working for notebooks written for tslab", async () => {
    const ran = await kernel.run(
      "import * as tslab from 'tslab';\ntslab.display.html('<b>x</b>');\nconst live = tslab.newDisplay();\nlive.text('1');\nlive.text('2');\ntslab.display.png(Uint8Array.from([1, 2, 3]))",
    );
    assert.deepEqual(ran.types, ["display_data", "display_data", "update_display_data", "display_data"]);
    const [html, first, second, png] = ran.messages
      .slice(1)
      .map(({ content }) => content as never as Record<string, never>);
    assert.deepEqual(html, { data: { "text/html": "<b>x</b>" }, metadata: {}, transient: {} });
    assert.deepEqual(first!.transient, second!.transient);
    assert.deepEqual(second!.data, { "text/plain": "2" });
    assert.deepEqual(png!.data, { "image/png": "AQID" });
  });

  it("streams in the middle of a computation", async () => {
    const execution = kernel.client.execute(
      "console.log('before'); const t = Date.now(); while (Date.now() - t < 700); 1",
    );
    const started = Date.now();
    for await (const { header } of execution) {
      if (header.msg_type !== "stream") continue;
      assert.ok(Date.now() - started < 600, `arrived after ${Date.now() - started} ms`);
    }
  });
});

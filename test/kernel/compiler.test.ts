import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import ts from "typescript";
import { CellCompiler } from "../../kernel/compiler/cell.js";
import { compilerOptions } from "../../kernel/compiler/options.js";

describe("compiling cells", () => {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-compiler-"));
  after(() => rmSync(folder, { recursive: true }));

  // One for all tests: reading the types of Node takes a second.
  const compiler = new CellCompiler(folder);
  let id = 0;

  /** Messages of each cell, in order. */
  function check(...cells: string[]): string[][] {
    return cells.map((code) => {
      const { diagnostics } = compiler.compile(++id, code, "block");
      compiler.commit(id, "all");
      return diagnostics.map(({ line, column, message }) => `${line}:${column} ${message}`);
    });
  }

  it("is not strict by default, and honours the tsconfig.json that covers the folder", () => {
    assert.deepEqual(check("const text: string = null; let unused = 1"), [[]]);
    const project = join(folder, "project");
    const notebooks = join(project, "notebooks");
    mkdirSync(notebooks, { recursive: true });
    const strict = (cwd: string, include?: string[]) => {
      const own = { strict: true, noUnusedLocals: true, module: "commonjs", outDir: "x" };
      writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: own, include }));
      const options = compilerOptions(cwd);
      assert.equal(options.noUnusedLocals, false);
      assert.equal(options.module, ts.ModuleKind.ESNext);
      return options.strict;
    };
    assert.equal(strict(project), true);
    assert.equal(strict(notebooks), true);
    assert.equal(strict(notebooks, ["src", "notebooks/**/*"]), true);
    assert.equal(strict(notebooks, ["src"]), false);
    assert.equal(strict(project, ["src"]), true);
  });

  it("knows this Node's library and the types of Node", () => {
    const [modern, node] = check(
      "[3, 1].toSorted(); Object.groupBy",
      "process.argv.length; Buffer.from('a'); new URL('http://a'); setTimeout(() => {}, 1).unref(); fetch; structuredClone(1)",
    );
    assert.ok(!modern!.some((message) => message.includes("toSorted")));
    assert.deepEqual(node, []);
  });

  it("carries every kind of declaration to later cells", () => {
    const results = check(
      "export const a = 1; export default function named() { return a } export type Pair<T> = [T, T]; namespace Space { export const inside = 1; export interface Shape { x: number } } declare const outside: number; abstract class Base { abstract go(): void; private secret = 1 } class Sub extends Base { go() {} } function over(x: string): string; function over(x: number): number; function over(x: any) { return x } const { p, ...rest } = { p: 1, q: 2, r: 3 }; var [first] = ['x']; const sym: unique symbol = Symbol(); enum Level { Low = 1, High = 'high' }; async function* gen() { yield 1 }",
      "const pair: Pair<number> = [a, named()]; const shape: Space.Shape = { x: Space.inside }; new Sub().go(); over('a').length; over(1).toFixed(); rest.q + rest.r + p; first.length; ({ [sym]: 1 })[sym]; const low: Level = Level.Low; for await (const n of gen()) n.toFixed(); const base: Base = new Sub()",
      "const wrong: Pair<string> = pair; new Base(); over(true)",
    );
    assert.deepEqual(results[0], []);
    assert.deepEqual(results[1], []);
    assert.equal(results[2]!.length, 3, results[2]!.join("\n"));
  });

  it("checks assignments to variables of earlier cells, and narrows them", () => {
    const [, narrowed, wrong, constant] = check(
      "let maybe: string | undefined; let count = 0; const fixed = 1",
      "maybe = 'x'; maybe.length; count += 2; if (typeof maybe === 'string') maybe.toUpperCase()",
      "count = 'many'",
      "fixed = 2",
    );
    assert.deepEqual(narrowed, []);
    assert.deepEqual(wrong, ["1:1 Type 'string' is not assignable to type 'number'."]);
    assert.deepEqual(constant, ["1:1 Cannot assign to 'fixed' because it is a constant."]);
  });

  it("may declare again what an earlier cell, the library or Node declares", () => {
    const cells = [
      "import * as fs from 'fs'; const name = 'a'; const fetch = 1; let process = { mine: true }; class Map2 {}",
      "const fs = 5; fs.toFixed(); const fetch = 'text'; fetch.length; process.mine; interface name { x: 1 }",
      "function fs() { return 1 } fs(); const URL = 'http://x'; URL.length; fetch.length",
    ];
    assert.deepEqual(check(...cells), [[], [], []]);
  });
});

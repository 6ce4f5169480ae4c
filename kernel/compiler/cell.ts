import ts = require("typescript");

import { type Declaration, Declarations, splitDeclarations } from "./declarations.js";
import { type CellDiagnostic, describe, describeModules } from "./diagnostics.js";
import { jsxImports, jsxRoot } from "./jsx.js";
import { type CellNames, declaredIn, mentionedIn, namesOf } from "./names.js";
import { isSimple } from "./node-types.js";
import { isTsx, parseCell } from "./parse.js";
import { type CellService, createCellService } from "./service.js";
import { CELL, cellTransform, SCOPE } from "./transform.js";

export type TypeMode = "block" | "warn" | "off";

export interface CompiledCell {
  /** Text of a function of (`__cell`, `__scope`, `require`, …) that returns the cell's async function. */
  js: string;
  /** Source map of `js` without its first line. Its lines are the cell's, from 0, after `mapOffset` more. */
  map: string;
  mapOffset: number;
  /** Names that the cell makes, for `commit`. */
  names: string[];
  diagnostics: CellDiagnostic[];
  /** True when the diagnostics forbid to run the cell; then there is no `js`. */
  blocked: boolean;
}

export class CellCompiler {
  readonly service: CellService;
  readonly declarations = new Declarations();
  private readonly pending = new Map<number, { declared: Declaration[]; modules: string[] }>();

  constructor(cwd: string) {
    this.service = createCellService(cwd);
  }

  /** `id` is for `commit`; nothing that the cell declares is known to later cells before that. */
  compile(id: number, code: string, mode: TypeMode): CompiledCell {
    const parsed = parseCell(code);
    const names = namesOf(parsed);
    const mentioned = mentionedIn(parsed);
    const jsx = isTsx(parsed) ? jsxRoot(this.service.options) : undefined;
    if (jsx) mentioned.add(jsx);
    const earlier = [...mentioned].filter((name) => this.declarations.has(name) && !names.all.has(name));
    if (!this.service.hasAllTypes && (names.imports.length > 0 || !this.isSimple(mentioned, declaredIn(parsed)))) {
      this.service.useAllTypes();
    }
    const { text: prefix, meanings } = this.declarations.render(earlier, names.all);
    const exported = [...names.all].filter((name) => !names.exported.has(name));
    const text = `${prefix}${code}\nexport { ${exported.join(", ")} };\n`;
    const { service, cellFile } = this.service;
    this.service.setText(text, isTsx(parsed));
    const program = service.getProgram()!;
    const file = program.getSourceFile(cellFile)!;
    const codeEnd = prefix.length + code.length;

    const types = mode !== "off" && !/^\s*(\/\/|\/\*)\s*@ts-nocheck/.test(code);
    const diagnostics = describe(program, file, { code, start: prefix.length, types });
    if (types && diagnostics.length === 0) diagnostics.push(...describeModules(program, file, prefix.length));
    const blocked = diagnostics.some(({ kind }) => kind === "syntax") || (mode === "block" && diagnostics.length > 0);
    const empty = { js: "", map: "", mapOffset: 0, names: [], diagnostics, blocked };
    if (blocked) return empty;

    const isEarlierValue = (name: string) => this.declarations.hasValue(name);
    const checker = program.getTypeChecker();
    const transform = cellTransform(checker, prefix.length, codeEnd, names, isEarlierValue, jsx);
    const output = { js: "", map: "", dts: "" };
    program.emit(
      file,
      (path, content) => {
        if (path.endsWith(".d.ts")) output.dts = content;
        else if (path.endsWith(".map")) output.map = content;
        else output.js = content;
      },
      undefined,
      false,
      { before: [transform.transformer], after: [jsxImports] },
    );
    const values = new Set([...names.values.keys(), ...transform.imported.keys()]);
    this.pending.set(id, {
      declared: splitDeclarations(
        output.dts + nestedVariables(checker, file, names),
        { all: names.all, values },
        meanings,
        this.declarations,
      ),
      modules: names.imports.map(({ moduleSpecifier }) => (moduleSpecifier as ts.StringLiteral).text),
    });
    return {
      js: wrap(output.js, names.values, transform.imports, transform.imported),
      map: output.map,
      mapOffset: prefix.split("\n").length - 1,
      names: [...values],
      diagnostics,
      blocked: false,
    };
  }

  private isSimple(mentioned: Set<string>, own: Set<string>): boolean {
    return isSimple(mentioned, (name) => own.has(name) || this.declarations.has(name));
  }

  /** Reads what `compile` may have left out, so that no cell has to wait for it. */
  warmUp(): void {
    if (this.service.hasAllTypes) return;
    this.service.useAllTypes();
    this.service.program();
  }

  /** The cell has run; of its values, `live` were reached before it ended. */
  commit(id: number, live: string[] | "all"): void {
    const { declared, modules } = this.pending.get(id) ?? { declared: [], modules: [] };
    this.pending.delete(id);
    for (const module of modules) this.declarations.addModule(module);
    const alive = new Set(live);
    this.declarations.add(declared.filter(({ name, hasValue }) => live === "all" || !hasValue || alive.has(name)));
    this.service.setModules(this.declarations.modulesText());
  }
}

/** Declarations of `var`s in blocks, which belong to the whole cell: a `.d.ts` leaves them out. */
function nestedVariables(checker: ts.TypeChecker, file: ts.SourceFile, { nested }: CellNames): string {
  const module = nested.size > 0 ? checker.getSymbolAtLocation(file) : undefined;
  if (!module) return "";
  const found = checker.getExportsOfModule(module).filter(({ name }) => nested.has(name));
  const typeOf = (symbol: ts.Symbol) => checker.getTypeOfSymbol(checker.getAliasedSymbol(symbol));
  return found
    .map((symbol) => {
      const type = checker.typeToString(typeOf(symbol), file, ts.TypeFormatFlags.NoTruncation);
      return `declare var ${symbol.name}: ${type};\n`;
    })
    .join("");
}

/** One line in front, so that line numbers need one correction only. */
function wrap(
  js: string,
  values: Map<string, { mutable: boolean }>,
  imports: string[],
  imported: Map<string, string>,
): string {
  const body = js.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "").replace(/(^|\n)export \{\};\s*$/, "$1");
  const accessors = [
    ...[...values].map(([name, { mutable }]) => `${name}:[()=>${name}${mutable ? `,(v)=>{${name}=v}` : ""}]`),
    ...[...imported].map(([name, expression]) => `${name}:[()=>${expression}]`),
  ];
  const loads = imports.map((name, i) => `const __m${i}=await ${CELL}.import(${JSON.stringify(name)});`);
  const open = `(function(${CELL},${SCOPE},require,module,exports,__filename,__dirname,Deno){return async function(){"use strict";`;
  const declare = accessors.length > 0 ? `${CELL}.declare({${accessors.join(",")}});` : "";
  return `${open}${declare}${loads.join("")}\n${body}\n}})`;
}

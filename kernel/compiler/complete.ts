import ts = require("typescript");

import type { CellCompiler } from "./cell.js";
import { mentionedIn, namesOf } from "./names.js";
import { isTsx, parseCell } from "./parse.js";

export interface Completion {
  matches: string[];
  /** In UTF-16 units of the code. */
  start: number;
  end: number;
  types: { text: string; type: string; start: number; end: number; signature?: string }[];
}

/** Sets the service's text to what the cell would see if it ran now. Returns where its own text begins. */
export function prepare(compiler: CellCompiler, code: string, extra: Iterable<string> = []): number {
  const parsed = parseCell(code);
  const names = namesOf(parsed);
  const wanted = [...new Set([...mentionedIn(parsed), ...extra])].filter((name) => !names.all.has(name));
  const { text: prefix } = compiler.declarations.render(wanted, names.all);
  compiler.service.useAllTypes();
  compiler.service.setText(`${prefix}${code}\nexport {};\n`, isTsx(parsed));
  return prefix.length;
}

export function complete(compiler: CellCompiler, code: string, cursor: number): Completion {
  const typed = /[\p{ID_Continue}$#]*$/u.exec(code.slice(0, cursor))![0];
  const rest = /^[\p{ID_Continue}$]*/u.exec(code.slice(cursor))![0];
  const start = cursor - typed.length;
  const end = cursor + rest.length;
  const earlier = [...compiler.declarations.names()].filter((name) => rank(name, typed) > 0).slice(0, 2000);
  const offset = prepare(compiler, code, earlier);
  const found = compiler.service.service.getCompletionsAtPosition(compiler.service.cellFile, offset + cursor, {
    includeCompletionsWithInsertText: false,
    includeCompletionsForModuleExports: false,
  });
  const ranked = (found?.entries ?? [])
    .filter(({ name, kind }) => kind !== ts.ScriptElementKind.warning && !isOurs(name))
    .map((entry) => ({ entry, rank: rank(entry.name, typed) }))
    .filter(({ rank }) => rank > 0);
  // Names that begin as typed, if there are any; else whatever is nearest.
  const highest = Math.max(...ranked.map((candidate) => candidate.rank));
  const best = ranked.filter((candidate) => candidate.rank === highest);
  best.sort(
    (a, b) =>
      compare(a.entry.sortText, b.entry.sortText) ||
      compare(a.entry.name.toLowerCase(), b.entry.name.toLowerCase()) ||
      compare(a.entry.name, b.entry.name),
  );
  return {
    matches: best.map(({ entry }) => entry.name),
    start: found?.optionalReplacementSpan ? found.optionalReplacementSpan.start - offset : start,
    end: found?.optionalReplacementSpan
      ? found.optionalReplacementSpan.start - offset + found.optionalReplacementSpan.length
      : end,
    types: best.map(({ entry }) => ({ text: entry.name, type: kindOf(entry.kind), start, end })),
  };
}

/** Our names of modules, and the names of declarations that are hidden. */
function isOurs(name: string): boolean {
  return /^\$m\d+d?$/.test(name) || /__\d+$/.test(name);
}

/** 3: begins as typed; 2: but for upper and lower case; 1: contains it; 0: no match. */
function rank(name: string, typed: string): number {
  if (name.startsWith(typed)) return 3;
  const lower = name.toLowerCase();
  const wanted = typed.toLowerCase();
  return lower.startsWith(wanted) ? 2 : lower.includes(wanted) ? 1 : 0;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The words that front ends have icons for. */
function kindOf(kind: string): string {
  switch (kind) {
    case "method":
    case "function":
    case "local function":
      return "function";
    case "class":
    case "local class":
      return "class";
    case "interface":
    case "type":
    case "type parameter":
      return "interface";
    case "module":
    case "external module name":
      return "module";
    case "keyword":
      return "keyword";
    case "property":
    case "getter":
    case "setter":
    case "accessor":
      return "property";
    case "enum":
    case "enum member":
      return "enum";
    default:
      return "variable";
  }
}

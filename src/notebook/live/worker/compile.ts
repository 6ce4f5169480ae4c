/**
 * A TypeScript cell to JavaScript that the page can run. Types are taken away, not checked: a compiler that checks them
 * is larger than all the rest. Otherwise as in the kernel (kernel/compiler): names of earlier cells become properties of
 * the scope, imports become awaited calls, the value of a last expression is returned, and lines stay where they were.
 */
import { type Node, type Program, parse } from "acorn";
import { transform } from "sucrase";
import { type AnyNode, type Reference, references, walk } from "./scopes.js";

/** The cell cannot be read. */
export class CellSyntaxError extends Error {
  override name = "SyntaxError";
  constructor(
    message: string,
    /** From 1. */
    readonly line: number | undefined,
  ) {
    super(message);
  }
}

export interface CompiledCell {
  /** Text of `function(__cell, __scope)`, one line longer than the cell in front; it returns the cell's async function. */
  js: string;
  /** Names that neither the cell nor `known` knows. */
  missing: string[];
}

export interface KnownNames {
  /** Made by a cell that has run. */
  isEarlier(name: string): boolean;
  isGlobal(name: string): boolean;
}

/** @throws CellSyntaxError */
export function compileCell(code: string, known: KnownNames): CompiledCell {
  const js = stripTypes(code);
  const program = parseModule(js);
  const { found, declared } = references(program);
  const imports = importsOf(program);
  const missing = new Set<string>();
  const edits = [
    ...found.flatMap((reference) => referenceEdits(js, reference, imports.names, known, missing)),
    ...dynamicImportEdits(program),
    ...statementEdits(js, program),
  ];
  const accessors = [
    ...[...declared]
      .filter(([name]) => !imports.names.has(name))
      .map(([name, node]) => `${name}:[()=>${name}${isConstant(node) ? "" : `,(v)=>{${name}=v}`}]`),
    ...[...imports.names].map(([name, expression]) => `${name}:[()=>${expression}]`),
  ];
  const declare = accessors.length > 0 ? `__cell.declare({${accessors.join(",")}});` : "";
  const loads = imports.modules.map((name, i) => `const __m${i}=await __cell.import(${JSON.stringify(name)});`);
  const open = `function(__cell,__scope){return async function(){"use strict";${declare}${loads.join("")}`;
  return { js: `${open}\n${applied(js, edits)}\n}}`, missing: [...missing] };
}

function stripTypes(code: string): string {
  try {
    // Unused imports stay: a later cell may use them.
    return transform(code, { transforms: ["typescript"], disableESTransforms: true, keepUnusedImports: true }).code;
  } catch (error) {
    throw syntaxError(error as Error);
  }
}

function parseModule(js: string): Program {
  try {
    return parse(js, { ecmaVersion: "latest", sourceType: "module", allowHashBang: true });
  } catch (error) {
    throw syntaxError(error as Error);
  }
}

/** Both parsers end their message with "(line:column)". */
function syntaxError({ message }: Error): CellSyntaxError {
  const place = /\((\d+):\d+\)\s*$/.exec(message);
  const text = message.replace(/^Error transforming [^:]*: /, "").replace(/\s*\(\d+:\d+\)\s*$/, "");
  return new CellSyntaxError(text, place ? Number(place[1]) : undefined);
}

function importsOf(program: Program): { modules: string[]; names: Map<string, string> } {
  const modules: string[] = [];
  const names = new Map<string, string>();
  for (const node of program.body as AnyNode[]) {
    if (node.type !== "ImportDeclaration") continue;
    const object = `__m${modules.length}`;
    modules.push(node.source.value);
    for (const { type, local, imported } of node.specifiers as AnyNode[]) {
      if (type === "ImportNamespaceSpecifier") names.set(local.name, object);
      else if (type === "ImportDefaultSpecifier") names.set(local.name, `${object}.default`);
      else names.set(local.name, `${object}[${JSON.stringify(imported.name ?? imported.value)}]`);
    }
  }
  return { modules, names };
}

function isConstant(node: Node): boolean {
  return node.type === "VariableDeclaration" && (node as AnyNode).kind === "const";
}

interface Edit {
  start: number;
  end: number;
  text: string;
  /** Among edits at the same place: what closes, then what opens, then what replaces. */
  order: 0 | 1 | 2;
}

const ASKING = new Set(["prompt", "confirm", "alert"]);

function referenceEdits(
  js: string,
  { node, parent, isTopLevel, isFree, inAsync }: Reference,
  imported: Map<string, string>,
  known: KnownNames,
  missing: Set<string>,
): Edit[] {
  const { name, start, end } = node;
  if (parent?.type.startsWith("Import") || parent?.type === "ExportSpecifier") return [];
  const isCallee = parent?.type === "CallExpression" && parent.callee === node;
  // The analysis knows nothing of `import * as name`.
  if ((isTopLevel || isFree) && imported.has(name)) return [replaced(imported.get(name)!)];
  if (!isFree) return [];
  if (known.isEarlier(name)) return [replaced(`__scope.${name}`)];
  if (isCallee && ASKING.has(name)) {
    // A page cannot stop in the middle of a computation and wait for its reader.
    const call = inAsync ? `(await __cell.ask("${name}",` : `(__cell.askInVain("${name}",`;
    return [
      { start, end: js.indexOf("(", end) + 1, text: call, order: 2 },
      { start: parent.end, end: parent.end, text: ")", order: 0 },
    ];
  }
  const isProbed = parent?.type === "UnaryExpression" && parent.operator === "typeof";
  if (!isProbed && !known.isGlobal(name)) missing.add(name);
  return [];

  function replaced(text: string): Edit {
    const isTag = parent?.type === "TaggedTemplateExpression" && parent.tag === node;
    // `f()` must not become a method call on the scope.
    const value = isCallee || isTag ? `(0,${text})` : text;
    const isShorthand =
      (parent?.type === "Property" && parent.shorthand) || (parent?.type === "AssignmentPattern" && parent.isShorthand);
    return { start, end, text: isShorthand ? `${name}: ${value}` : value, order: 2 };
  }
}

function dynamicImportEdits(program: Program): Edit[] {
  const edits: Edit[] = [];
  walk(program as AnyNode, (node) => {
    const { start } = node;
    if (node.type === "ImportExpression") edits.push({ start, end: start + 6, text: "__cell.import", order: 2 });
    if (node.type === "MetaProperty" && node.meta.name === "import") {
      edits.push({ start, end: node.end, text: "__cell.meta", order: 2 });
    }
  });
  return edits;
}

/** Imports and exports go; the last expression is returned. */
function statementEdits(js: string, program: Program): Edit[] {
  const cut = (start: number, end: number): Edit => ({
    start,
    end,
    text: js.slice(start, end).replace(/[^\n]/g, ""),
    order: 2,
  });
  return (program.body as AnyNode[]).flatMap((node, i) => {
    const { start, end } = node;
    if (node.type === "ImportDeclaration" || node.type === "ExportAllDeclaration") return [cut(start, end)];
    if (node.type === "ExportNamedDeclaration" || node.type === "ExportDefaultDeclaration") {
      return [cut(start, node.declaration ? node.declaration.start : end)];
    }
    if (node.type !== "ExpressionStatement" || i < program.body.length - 1) return [];
    const close = js[end - 1] === ";" ? end - 1 : end;
    // In an object, so that a promise stays one: `return promise` would wait for it.
    return [
      { start, end: start, text: "return{value:(", order: 1 },
      { start: close, end, text: "\n)};", order: 1 },
    ] satisfies Edit[];
  });
}

function applied(js: string, edits: Edit[]): string {
  let result = "";
  let at = 0;
  for (const { start, end, text } of edits.sort((a, b) => a.start - b.start || a.order - b.order)) {
    result += js.slice(at, start) + text;
    at = end;
  }
  return result + js.slice(at);
}

/** Papermill's parameters for TypeScript: a cell with the given values goes in after the cell tagged `parameters`. */
import { readFileSync } from "node:fs";
import type ts from "typescript";
import { type CodeCell, ensureTags, isCode, type Notebook, tagsOf } from "../nbformat.js";

export class ParameterError extends Error {
  override name = "ParameterError";
}

/** A value from the command line: what it means depends on what the notebook declares. */
export class AssignedText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): string {
    return this.text;
  }
}

/** An `AssignedText`, or any JSON value from a file or a program. */
export type Parameters = Record<string, unknown>;

/**
 * Splits `NAME=VALUE`.
 * @throws ParameterError when there is no name or it is no identifier
 */
export function parseAssignment(assignment: string): [name: string, value: AssignedText] {
  const at = assignment.indexOf("=");
  if (at <= 0) throw new ParameterError(`-p wants NAME=VALUE, not "${assignment}"`);
  return [checkedName(assignment.slice(0, at).trim()), new AssignedText(assignment.slice(at + 1))];
}

/**
 * Reads a file of parameters, YAML or JSON: a mapping from names to values.
 * @throws ParameterError when it cannot be read or holds something else
 */
export async function readParameters(path: string): Promise<Parameters> {
  const { parse } = await import("yaml");
  let values: unknown;
  try {
    values = parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new ParameterError(`cannot read the parameters in ${path}: ${(error as Error).message}`);
  }
  if (values === null) return {};
  if (typeof values !== "object" || Array.isArray(values)) {
    throw new ParameterError(`${path} must hold lines of the form "name: value"`);
  }
  for (const name of Object.keys(values as object)) checkedName(name, ` in ${path}`);
  return values as Parameters;
}

function checkedName(name: string, where = ""): string {
  if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) return name;
  throw new ParameterError(`"${name}"${where} is not a variable name`);
}

/**
 * Puts the parameters into the notebook and returns warnings for those that it does not declare. An earlier injected
 * cell is replaced; without a cell tagged `parameters` the new one goes to the top.
 *
 * Text from the command line is read as JSON if it can be, else kept as text; where the notebook declares a string it stays a string
 * (`data_file=123` names a file), and where it declares a number, boolean or array anything else is refused.
 *
 * @throws ParameterError when a value does not fit its declaration
 */
export async function injectParameters(notebook: Notebook, parameters: Parameters): Promise<string[]> {
  const names = Object.keys(parameters);
  if (names.length === 0) return [];
  const at = notebook.cells.filter((cell) => !isInjected(cell)).findIndex(isTagged("parameters"));

  const warnings: string[] = [];
  const declared =
    at < 0 ? new Map<string, Declaration>() : await declarations(notebook.cells.find(isTagged("parameters"))!.source);
  if (at < 0) warnings.push('the notebook has no cell tagged "parameters"; the values go to its top');
  else {
    for (const name of names.filter((name) => !declared.has(name))) {
      warnings.push(`the notebook has no parameter "${name}" (it has: ${[...declared.keys()].join(", ") || "none"})`);
    }
  }
  const lines = names.map((name) => {
    const declaration = declared.get(name);
    const annotation = declaration?.annotation ? `: ${declaration.annotation}` : "";
    return `let ${name}${annotation} = ${literal(typedValue(name, parameters[name], declaration))};`;
  });
  const cell: CodeCell = {
    cell_type: "code",
    execution_count: null,
    metadata: {},
    outputs: [],
    source: `// parameters of this run\n${lines.join("\n")}`,
  };
  ensureTags(cell, ["injected-parameters"]);
  insert(notebook, cell);
  return warnings;
}

/** Gives the notebook the parameters of an earlier run of it, if that had any. */
export function carryParameters(notebook: Notebook, earlier: Notebook): void {
  const cell = earlier.cells.find(isInjected);
  if (cell) insert(notebook, cell);
}

function insert(notebook: Notebook, cell: Notebook["cells"][number]): void {
  notebook.cells = notebook.cells.filter((other) => !isInjected(other));
  notebook.cells.splice(notebook.cells.findIndex(isTagged("parameters")) + 1, 0, cell);
}

function isTagged(tag: string): (cell: Notebook["cells"][number]) => boolean {
  return (cell) => isCode(cell) && tagsOf(cell).includes(tag);
}

const isInjected = isTagged("injected-parameters");

interface Declaration {
  /** What the declaration says or its initial value shows; undefined when neither tells. */
  type?: "string" | "number" | "boolean" | "array" | "object";
  annotation?: string;
}

function typedValue(name: string, given: unknown, declaration: Declaration | undefined): unknown {
  const type = declaration?.type;
  let value = given;
  if (given instanceof AssignedText) {
    const { text } = given;
    const parsed = asJson(text);
    value = type === "string" && typeof parsed !== "string" && parsed !== null ? text : parsed;
  }
  if (type === undefined || value === null || kindOf(value) === type) return value;
  throw new ParameterError(`parameter "${name}" is a ${type} in the notebook; ${JSON.stringify(given)} is not one`);
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value;
}

/** JSON is TypeScript, but for two line separators in older parsers. */
function literal(value: unknown): string {
  return (JSON.stringify(value) ?? "undefined").replace(/\u2028/g, "\\u2028").replace(/\u2029/g, "\\u2029");
}

/** The variables that the cell declares at its top level. */
async function declarations(source: string): Promise<Map<string, Declaration>> {
  const { default: compiler } = await import("typescript");
  const file = compiler.createSourceFile("cell.ts", source, compiler.ScriptTarget.ESNext, true);
  const found = new Map<string, Declaration>();
  for (const statement of file.statements) {
    if (!compiler.isVariableStatement(statement)) continue;
    for (const { name, type, initializer } of statement.declarationList.declarations) {
      if (!compiler.isIdentifier(name)) continue;
      found.set(name.text, {
        type: type ? namedType(compiler, type) : initializer && shownType(compiler, initializer),
        annotation: type?.getText(file),
      });
    }
  }
  return found;
}

function namedType(compiler: typeof ts, type: ts.TypeNode): Declaration["type"] {
  const { SyntaxKind } = compiler;
  if (type.kind === SyntaxKind.StringKeyword) return "string";
  if (type.kind === SyntaxKind.NumberKeyword) return "number";
  if (type.kind === SyntaxKind.BooleanKeyword) return "boolean";
  if (compiler.isArrayTypeNode(type)) return "array";
  return undefined;
}

function shownType(compiler: typeof ts, value: ts.Expression): Declaration["type"] {
  const { SyntaxKind } = compiler;
  if (compiler.isStringLiteralLike(value) || compiler.isTemplateExpression(value)) return "string";
  if (compiler.isNumericLiteral(value)) return "number";
  if (compiler.isPrefixUnaryExpression(value) && compiler.isNumericLiteral(value.operand)) return "number";
  if (value.kind === SyntaxKind.TrueKeyword || value.kind === SyntaxKind.FalseKeyword) return "boolean";
  if (compiler.isArrayLiteralExpression(value)) return "array";
  if (compiler.isObjectLiteralExpression(value)) return "object";
  return undefined;
}

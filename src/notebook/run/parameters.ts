/** Papermill's parameters for TypeScript: a cell with the given values goes in after the cell tagged `parameters`. */
import type ts from "typescript";
import { type CodeCell, ensureTags, isCode, type Notebook, tagsOf } from "../nbformat.js";

export class ParameterError extends Error {
  override name = "ParameterError";
}

/** A value as it came from the command line, or any JSON value from a program. */
export type Parameters = Record<string, unknown>;

/**
 * Splits `NAME=VALUE`. The value stays text: what it means depends on what the notebook declares.
 * @throws ParameterError when there is no name or it is no identifier
 */
export function parseAssignment(assignment: string): [name: string, value: string] {
  const at = assignment.indexOf("=");
  if (at <= 0) throw new ParameterError(`-p wants NAME=VALUE, not "${assignment}"`);
  const name = assignment.slice(0, at).trim();
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name))
    throw new ParameterError(`"${name}" is not a variable name`);
  return [name, assignment.slice(at + 1)];
}

/**
 * Puts the parameters into the notebook and returns warnings for those that it does not declare. An earlier injected
 * cell is replaced; without a cell tagged `parameters` the new one goes to the top.
 *
 * A text value is read as JSON if it can be, else kept as text; where the notebook declares a string it stays a string
 * (`data_file=123` names a file), and where it declares a number, boolean or array anything else is refused.
 *
 * @throws ParameterError when a value does not fit its declaration
 */
export async function injectParameters(notebook: Notebook, parameters: Parameters): Promise<string[]> {
  const names = Object.keys(parameters);
  if (names.length === 0) return [];
  const isTagged = (tag: string) => (cell: Notebook["cells"][number]) => isCode(cell) && tagsOf(cell).includes(tag);
  notebook.cells = notebook.cells.filter((cell) => !isTagged("injected-parameters")(cell));
  const at = notebook.cells.findIndex(isTagged("parameters"));

  const warnings: string[] = [];
  const declared = at < 0 ? new Map<string, Declaration>() : await declarations(notebook.cells[at]!.source);
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
  notebook.cells.splice(at + 1, 0, cell);
  return warnings;
}

interface Declaration {
  /** What the declaration says or its initial value shows; undefined when neither tells. */
  type?: "string" | "number" | "boolean" | "array" | "object";
  annotation?: string;
}

function typedValue(name: string, given: unknown, declaration: Declaration | undefined): unknown {
  const type = declaration?.type;
  let value = given;
  if (typeof given === "string") {
    const parsed = asJson(given);
    value = type === "string" && typeof parsed !== "string" && parsed !== null ? given : parsed;
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

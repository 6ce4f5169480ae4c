/** Checks a notebook, in its file form, against the schema of its own minor version. */
import type { Ajv } from "ajv";
import draft4 from "ajv-draft-04";
import { newestMinor, notebookSchema } from "./schema.js";

/** The problems found, each with its place (`cells[3].metadata.tags: …`); empty when the notebook is valid. */
export function validateNotebook(file: unknown): string[] {
  const minor = Number((file as { nbformat_minor?: unknown })?.nbformat_minor ?? 0);
  const validate = validatorFor(Number.isInteger(minor) && minor >= 0 ? Math.min(minor, newestMinor + 1) : 0);
  const problems = validate(file) ? [] : describe(file, validate.errors ?? []);
  return [...problems, ...duplicateIds(file)];
}

type Validator = ReturnType<Ajv["compile"]>;
const validators = new Map<number, Validator>();

function validatorFor(minor: number): Validator {
  let validator = validators.get(minor);
  if (!validator) {
    // The package is CommonJS; its typings describe the ES default export, its value sits one level deeper.
    const Draft4 = (draft4 as unknown as { default?: typeof Ajv }).default ?? (draft4 as unknown as typeof Ajv);
    validator = new Draft4({ strict: false, allErrors: true, verbose: false }).compile(notebookSchema(minor));
    validators.set(minor, validator);
  }
  return validator;
}

/** `oneOf` reports every branch that failed; only the branch that the cell or output claims to be is of interest. */
function describe(file: unknown, errors: NonNullable<Validator["errors"]>): string[] {
  const found = new Set<string>();
  for (const { instancePath, schemaPath, message, params, keyword } of errors) {
    if (keyword === "oneOf" || wrongBranch(file, instancePath, schemaPath)) continue;
    const extra =
      keyword === "additionalProperties" ? ` (${(params as { additionalProperty: string }).additionalProperty})` : "";
    found.add(`${readablePath(instancePath)}: ${message}${extra}`);
  }
  if (found.size === 0)
    for (const { instancePath, message } of errors) found.add(`${readablePath(instancePath)}: ${message}`);
  return [...found];
}

const cellBranches = ["raw", "markdown", "code"];
const outputBranches = ["execute_result", "display_data", "stream", "error"];

function wrongBranch(file: unknown, instancePath: string, schemaPath: string): boolean {
  const branches = [...schemaPath.matchAll(/\/items\/oneOf\/(\d+)/g)].map((match) => Number(match[1]));
  const [, cellIndex, outputIndex] = /^\/cells\/(\d+)(?:\/outputs\/(\d+))?/.exec(instancePath) ?? [];
  if (cellIndex === undefined || branches.length === 0) return false;
  const cell = (file as { cells: { cell_type?: string; outputs?: { output_type?: string }[] }[] }).cells[
    Number(cellIndex)
  ];
  const claimsCell = cellBranches.indexOf(cell?.cell_type ?? "");
  if (claimsCell >= 0 && branches[0] !== claimsCell) return true;
  if (outputIndex === undefined || branches.length < 2) return false;
  const claimsOutput = outputBranches.indexOf(cell?.outputs?.[Number(outputIndex)]?.output_type ?? "");
  return claimsOutput >= 0 && branches[1] !== claimsOutput;
}

function readablePath(pointer: string): string {
  const path = pointer
    .replace(/~1/g, "/")
    .replace(/~0/g, "~")
    .replace(/\/(\d+)(?=\/|$)/g, "[$1]")
    .replace(/\//g, ".");
  return path.replace(/^\./, "") || "notebook";
}

/** The schema cannot say that ids differ, but viewers and diff tools rely on it. */
function duplicateIds(file: unknown): string[] {
  const cells = (file as { cells?: { id?: unknown }[] })?.cells;
  if (!Array.isArray(cells)) return [];
  const seen = new Map<unknown, number>();
  const problems: string[] = [];
  cells.forEach((cell, i) => {
    const id = cell?.id;
    if (id === undefined) return;
    if (seen.has(id)) problems.push(`cells[${i}].id: the same id as cells[${seen.get(id)}] (${String(id)})`);
    else seen.set(id, i);
  });
  return problems;
}

/** Checks a notebook, in its file form, against the schema of its own minor version. */
import { createRequire } from "node:module";
import type { Ajv } from "ajv";
import { conforms } from "./conforms.js";
import { newestMinor, notebookSchema } from "./schema.js";

/** The problems found, each with its place (`cells[3].metadata.tags: …`); empty when the notebook is valid. */
export function validateNotebook(file: unknown): string[] {
  const minor = Number((file as { nbformat_minor?: unknown })?.nbformat_minor ?? 0);
  const schema = notebookSchema(Number.isInteger(minor) && minor >= 0 ? Math.min(minor, newestMinor + 1) : 0);
  const problems = conforms(file, schema) ? [] : describe(file, askAjv(file, schema));
  return [...problems, ...duplicateIds(file)];
}

type Problem = NonNullable<ReturnType<Ajv["compile"]>["errors"]>[number];

/** Every fault with its place. By `require`, because few notebooks have any, and only they need ajv. */
export function askAjv(file: unknown, schema: Record<string, unknown>): Problem[] {
  const Draft4 = createRequire(import.meta.url)("ajv-draft-04") as typeof Ajv;
  const validate = new Draft4({ strict: false, allErrors: true, verbose: false }).compile(schema);
  validate(file);
  return validate.errors ?? [];
}

/** `oneOf` reports every branch that failed; only the branch that the cell or output claims to be is of interest. */
function describe(file: unknown, errors: Problem[]): string[] {
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

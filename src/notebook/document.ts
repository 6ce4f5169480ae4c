/** Reading and writing .ipynb files (nbformat 4.0 to 4.5) without loss. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFileAtomic } from "../files.js";
import { parseKeepingNumbers, stableStringify } from "./json.js";
import { text } from "./mime.js";
import { type Cell, isCode, type Notebook } from "./nbformat.js";
import { repairNotebook } from "./repair.js";
import { validateNotebook } from "./validate.js";

export class NotebookFormatError extends Error {
  override name = "NotebookFormatError";
}

export interface ReadOptions {
  /** Take files of older formats and files with faults for what they mean. Not for what will be written back. */
  repair?: boolean;
}

/**
 * Reads a notebook file. Texts that the file holds as arrays of lines become strings; everything unknown is kept.
 * @throws NotebookFormatError when the file is no notebook of major version 4, or when its structure is broken
 */
export function readNotebook(path: string, options: ReadOptions = {}): Notebook {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    throw new NotebookFormatError(`cannot read the notebook ${path}: ${(error as Error).message}`);
  }
  return parseNotebook(content, path, options);
}

/** @param name what messages call the notebook */
export function parseNotebook(content: string, name = "notebook", { repair = false }: ReadOptions = {}): Notebook {
  let file: unknown;
  try {
    file = parseKeepingNumbers(content.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new NotebookFormatError(`${name} is not a notebook, which is a JSON file: ${(error as Error).message}`);
  }
  checkVersion(file, name, repair);
  let problems = faults(file, repair);
  if (problems.length > 0 && repair) {
    file = repairNotebook(file);
    problems = faults(file, repair);
  }
  if (problems.length > 0) {
    const shown = problems.slice(0, 5).map((problem) => `\n  ${problem}`);
    const rest = problems.length > 5 ? `\n  … and ${problems.length - 5} more` : "";
    throw new NotebookFormatError(`${name} is not a valid notebook:${shown.join("")}${rest}`);
  }
  return joinLines(file as Notebook);
}

/** The text of the file: keys sorted, indentation 1, texts as arrays of lines, final newline; as Jupyter writes it. */
export function formatNotebook(notebook: Notebook): string {
  return `${stableStringify(splitLines(notebook))}\n`;
}

/**
 * Replaces the file as a whole, so that a reader never sees half of it.
 * @throws NotebookFormatError when the notebook is not valid (nothing is written then)
 */
export function writeNotebook(path: string, notebook: Notebook): void {
  const problems = validateNotebook(notebook).filter((problem) => !harmless(problem));
  if (problems.length > 0) {
    throw new NotebookFormatError(
      `will not write ${path}, it would not be a valid notebook:\n  ${problems.slice(0, 5).join("\n  ")}`,
    );
  }
  writeFileAtomic(path, formatNotebook(notebook));
}

/**
 * Gives every cell an id of its own, which makes it a 4.5 notebook. The id comes from the cell's place and source, so
 * that two conversions of one notebook agree. Ids that exist stay, except a second use of the same one.
 */
export function ensureCellIds(notebook: Notebook): void {
  notebook.nbformat_minor = Math.max(notebook.nbformat_minor, 5);
  const used = new Set<string>();
  notebook.cells.forEach((cell, i) => {
    for (let attempt = 0; cell.id === undefined || used.has(cell.id); attempt++) {
      cell.id = createHash("sha256").update(`${i}\n${attempt}\n${cell.source}`).digest("hex").slice(0, 8);
    }
    used.add(cell.id);
  });
}

function faults(file: unknown, repair: boolean): string[] {
  if (repair && (file as { nbformat?: unknown }).nbformat !== 4) return ["an older format"];
  return validateNotebook(file).filter((problem) => !harmless(problem));
}

function checkVersion(file: unknown, name: string, repair: boolean): void {
  const { nbformat, nbformat_minor } = (file ?? {}) as Record<string, unknown>;
  if (nbformat === 4 || (repair && (nbformat === 2 || nbformat === 3))) return;
  if (typeof nbformat === "number") {
    throw new NotebookFormatError(
      `${name} has notebook format ${nbformat}.${nbformat_minor ?? 0}; kaisetsu reads 4.0 to 4.5. ` +
        "Convert it with: jupyter nbconvert --to notebook --nbformat 4 FILE",
    );
  }
  throw new NotebookFormatError(`${name} is not a notebook: it has no "nbformat"`);
}

/** Faults that many tools write and none minds; we keep them as found. */
function harmless(problem: string): boolean {
  return /\.id: the same id as|\.tags: must NOT have duplicate items/.test(problem);
}

function joinLines(notebook: Notebook): Notebook {
  for (const cell of notebook.cells) {
    cell.source = text(cell.source) ?? "";
    if (!isCode(cell)) {
      continue;
    }
    for (const output of cell.outputs) {
      if ("data" in output) joinBundle(output.data);
      else if (output.output_type === "stream") output.text = text(output.text) ?? "";
    }
  }
  return notebook;
}

function joinBundle(bundle: Record<string, unknown>): void {
  for (const [type, value] of Object.entries(bundle)) {
    // Some tools break base64 into lines; as it may not come back the same way, it stays as it is.
    if (isText(type)) bundle[type] = text(value) ?? value;
  }
}

/** A copy in file form; what Jupyter leaves as one string (base64 images) stays one string. */
function splitLines(notebook: Notebook): unknown {
  const splitBundle = (bundle: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(bundle).map(([type, value]) => [type, isText(type) ? lines(value) : value]));
  const splitCell = (cell: Cell) => {
    const copy: Record<string, unknown> = { ...cell, source: lines(cell.source) };
    if (isCode(cell)) {
      copy.outputs = cell.outputs.map((output) => {
        if ("data" in output) return { ...output, data: splitBundle(output.data) };
        return output.output_type === "stream" ? { ...output, text: lines(output.text) } : output;
      });
    }
    return copy;
  };
  return { ...notebook, cells: notebook.cells.map(splitCell) };
}

function isText(type: string): boolean {
  return type.startsWith("text/") || type === "application/javascript" || type === "image/svg+xml";
}

/** Python's `str.splitlines(True)`, whose line ends are more than the newline. */
function lines(value: unknown): unknown {
  return typeof value === "string"
    ? (value.match(
        /\r\n|[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])|[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+$/g,
      ) ?? [])
    : value;
}

/** What a run leaves in the notebook's metadata, under `kaisetsu.run`: how it went, and what `--resume` needs. */
import { createHash } from "node:crypto";
import { type CodeCell, isCode, type Notebook, tagsOf } from "../nbformat.js";
import type { Parameters } from "./parameters.js";
import { isSkipped } from "./run.js";

export interface RunRecord {
  /** `running` also when the run was killed: nobody could write down its end. */
  status: string;
  started: string;
  /** Seconds. */
  duration?: number;
  /** As the user gave them. */
  parameters?: Parameters;
  failed_cell?: string;
  /** Ids of the cells that ran, and a digest of what their source was then. */
  cells?: Record<string, string>;
  /** A kernel that was left alive, with all its variables. */
  kernel?: { connection_file: string; pid: number };
}

export function runRecord(notebook: Notebook): RunRecord | undefined {
  const { run } = (notebook.metadata.kaisetsu ?? {}) as { run?: RunRecord };
  return typeof run === "object" && run !== null ? run : undefined;
}

export function noteRun(notebook: Notebook, record: RunRecord): void {
  notebook.metadata.kaisetsu = { ...(notebook.metadata.kaisetsu as object | undefined), run: record };
}

/** Cells tagged so are run once: a resumed run takes their outputs and side effects for granted. */
export const runOnceTag = "run-once";

/**
 * Where a resumed run begins: at the first code cell that did not finish in `earlier`, or was changed since. Cells
 * before it get the outputs that they had. @returns its index in `notebook.cells`, or their number when all is done
 */
export function resumeAt(notebook: Notebook, earlier: Notebook): number {
  const { cells: ran = {} } = runRecord(earlier) ?? {};
  const before = new Map(earlier.cells.filter(isCode).map((cell) => [cell.id, cell]));
  for (const [index, cell] of notebook.cells.entries()) {
    if (!isCode(cell) || cell.source.trim() === "") continue;
    const old = before.get(cell.id);
    if (!old || !isSettled(old) || (!isSkipped(cell) && ran[cell.id!] !== digest(cell))) return index;
    cell.outputs = old.outputs;
    cell.execution_count = old.execution_count;
    if (old.metadata.execution) cell.metadata.execution = old.metadata.execution;
  }
  return notebook.cells.length;
}

export function digest({ source }: CodeCell): string {
  return createHash("sha256").update(source).digest("hex").slice(0, 12);
}

function isSettled(cell: CodeCell): boolean {
  if (isSkipped(cell)) return true;
  const execution = (cell.metadata.execution ?? {}) as Record<string, unknown>;
  if (execution["shell.execute_reply"] === undefined) return false;
  return tagsOf(cell).includes("raises-exception") || cell.outputs.every(({ output_type }) => output_type !== "error");
}

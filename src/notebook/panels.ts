/** The explanation panels of a whole notebook: wrapping plain Markdown into the stored form, and checking it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFlatPanel } from "../explain/flat.js";
import { type Finding, lintPanel } from "../explain/lint.js";
import { panelFromMarkdown, panelTag, readPanel, writePanel } from "../explain/panel.js";
import type { ProseLinter } from "../explain/prose.js";
import { type CodeCell, ensureTags, isCode, isMarkdown, type MarkdownCell, type Notebook, tagsOf } from "./nbformat.js";

/**
 * Brings every explanation into the stored form; doing it twice changes nothing more. Explanations are the Markdown
 * cells tagged `explanation`, and files `<id of a code cell>.md` in `folder`, which make or replace the panel after
 * that cell. Returns how many cells changed.
 */
export function wrapPanels(notebook: Notebook, folder?: string): number {
  let changed = 0;
  if (folder !== undefined) {
    for (const cell of notebook.cells.filter(isCode)) changed += importExplanation(notebook, cell, folder);
  }
  for (const cell of explanations(notebook)) {
    const fallback = `セル ${codeNumber(notebook, cell)}`;
    const panel = readPanel(cell.source) ?? panelFromMarkdown(cell.source, fallback);
    const stored = writePanel(panel.title === "" ? { ...panel, title: fallback } : panel);
    // With half a disclosure inside it could never be read back, and each run would wrap it once more.
    if (stored === cell.source || !readPanel(stored)) continue;
    cell.source = stored;
    changed++;
  }
  return changed;
}

/** Back to plain Markdown with the title as its first heading, for an author who would rather edit that. */
export function unwrapPanels(notebook: Notebook): number {
  let changed = 0;
  for (const cell of explanations(notebook)) {
    const panel = readPanel(cell.source);
    if (!panel) continue;
    cell.source = panel.title === "" ? panel.body : `### ${panel.title}\n\n${panel.body}`;
    changed++;
  }
  return changed;
}

/** Every panel as one HTML block, for a copy of the notebook that `nbconvert --embed-images` may have. */
export function flattenPanels(notebook: Notebook, markdownToHtml: (markdown: string) => string): void {
  for (const cell of explanations(notebook)) {
    const panel = readPanel(cell.source);
    if (panel) cell.source = writeFlatPanel(panel, markdownToHtml);
  }
}

export interface PanelFinding extends Finding {
  /** The cell's id, or its 1-based place when it has none. */
  cell: string;
}

/** Everything wrong with the notebook's panels: each one by itself, and all of them together. */
export function checkPanels(notebook: Notebook): PanelFinding[] {
  const findings: PanelFinding[] = [];
  const name = (index: number) => notebook.cells[index]!.id ?? String(index + 1);
  const titles = new Map<string, string>();
  notebook.cells.forEach((cell, index) => {
    const add = (rule: string, message: string) => findings.push({ cell: name(index), line: 1, rule, message });
    if (isCode(cell)) {
      if (
        cell.source.trim() !== "" &&
        !tagsOf(cell).includes("injected-parameters") &&
        !isExplanation(notebook.cells[index + 1])
      ) {
        add("one-panel", "this code cell has no explanation after it");
      }
      return;
    }
    const { source } = cell;
    if (!isExplanation(cell)) {
      if (/^\s*<details\b[^>]*kaisetsu/.test(source)) add("tag", `this panel lacks the tag "${panelTag}"`);
      return;
    }
    const before = notebook.cells[index - 1];
    if (!before || !isCode(before)) {
      add(
        "one-panel",
        before && isExplanation(before)
          ? "two explanations for one code cell"
          : "this explanation does not follow a code cell",
      );
    }
    for (const finding of lintPanel(cell.source)) findings.push({ cell: name(index), ...finding });
    const title = readPanel(cell.source)?.title ?? "";
    if (title !== "" && titles.has(title)) add("summary", `the title "${title}" is also that of ${titles.get(title)}`);
    else titles.set(title, name(index));
  });
  return findings;
}

/** The prose of every Markdown cell, panel or not; lines count in the cell's own source. */
export async function checkProse(notebook: Notebook, lint: ProseLinter): Promise<PanelFinding[]> {
  const findings: PanelFinding[] = [];
  for (const [index, cell] of notebook.cells.entries()) {
    if (!isMarkdown(cell)) continue;
    const body = readPanel(cell.source)?.body;
    // A panel's markup comes first, then its body exactly as it stands.
    const at = body === undefined ? 0 : Math.max(0, cell.source.indexOf(body));
    const offset = cell.source.slice(0, at).split("\n").length - 1;
    for (const finding of await lint(body ?? cell.source)) {
      findings.push({ ...finding, line: finding.line + offset, cell: cell.id ?? String(index + 1) });
    }
  }
  return findings;
}

function explanations(notebook: Notebook): MarkdownCell[] {
  return notebook.cells.filter(isExplanation);
}

function isExplanation(cell: Notebook["cells"][number] | undefined): cell is MarkdownCell {
  return cell !== undefined && isMarkdown(cell) && tagsOf(cell).includes(panelTag);
}

function codeNumber(notebook: Notebook, cell: MarkdownCell): number {
  return notebook.cells.slice(0, notebook.cells.indexOf(cell)).filter(isCode).length;
}

function importExplanation(notebook: Notebook, code: CodeCell, folder: string): number {
  // An id is safe as a file name: the format allows letters, digits, - and _ only.
  if (code.id === undefined || !/^[a-zA-Z0-9-_]{1,64}$/.test(code.id)) return 0;
  const file = join(folder, `${code.id}.md`);
  if (!existsSync(file)) return 0;
  const at = notebook.cells.indexOf(code) + 1;
  const next = notebook.cells[at];
  const stored = writePanel(
    panelFromMarkdown(readFileSync(file, "utf8"), `セル ${notebook.cells.slice(0, at).filter(isCode).length}`),
  );
  if (isExplanation(next)) {
    if (next.source === stored) return 0;
    next.source = stored;
    return 1;
  }
  const cell: MarkdownCell = {
    cell_type: "markdown",
    id: freeId(notebook, `${code.id}-note`),
    metadata: {},
    source: stored,
  };
  ensureTags(cell, [panelTag]);
  notebook.cells.splice(at, 0, cell);
  return 1;
}

function freeId(notebook: Notebook, wanted: string): string {
  const base = wanted.slice(-60);
  for (let i = 1; ; i++) {
    const id = i === 1 ? base : `${base}-${i}`;
    if (!notebook.cells.some((cell) => cell.id === id)) return id;
  }
}

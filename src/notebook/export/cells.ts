/** The cells of a notebook to the parts of the page. */
import { highlight, splitHighlighted } from "../../explain/highlight.js";
import { panelTag, readPanel } from "../../explain/panel.js";
import { escapeHtml } from "../escape.js";
import { type Cell, type CodeCell, isCode, isMarkdown, tagsOf } from "../nbformat.js";
import type { FragmentRenderer } from "./fragments.js";
import { withinLimits } from "./limits.js";
import { renderOutput } from "./outputs.js";

export interface CellOptions {
  fragments: FragmentRenderer;
  /** Of the code cells, for colours. */
  language: string | undefined;
}

/** @param id the element's, unique in the page */
export function renderCell(cell: Cell, id: string, options: CellOptions): string {
  const { fragments } = options;
  if (isCode(cell)) return renderCode(cell, id, options);
  if (!isMarkdown(cell))
    return cell.source.trim() === "" ? "" : `<pre class="raw" id="${id}" tabindex="0">${escapeHtml(cell.source)}</pre>`;
  if (isPanel(cell)) return fragments.panel(cell.source, cell);
  return `<section class="cell markdown" id="${id}">${fragments.markdown(cell.source, true, cell)}</section>`;
}

export function isPanel(cell: Cell): boolean {
  return (
    tagsOf(cell).includes(panelTag) ||
    (/^\s*<details\b[^>]*\bkaisetsu\b/.test(cell.source) && readPanel(cell.source) !== undefined)
  );
}

function renderCode(cell: CodeCell, id: string, { fragments, language }: CellOptions): string {
  const { strings } = fragments;
  const tags = tagsOf(cell);
  const jupyter = (cell.metadata.jupyter ?? {}) as { source_hidden?: boolean; outputs_hidden?: boolean };
  const has = (...names: string[]) => names.some((name) => tags.includes(name));
  if (has("remove-cell")) return "";
  const label = Number.isInteger(cell.execution_count) ? String(cell.execution_count) : "";

  let source = "";
  if (cell.source.trim() !== "" && !has("remove-input")) {
    const lines = splitHighlighted(colour(cell.source.trimEnd(), language));
    const code = lines.map((line) => `<span class="l">${line}</span>`).join("\n");
    source = `<pre class="code" tabindex="0"><code translate="no">${code}</code></pre>`;
    if (has("hide-input", "hide-cell") || jupyter.source_hidden) source = fold("fold", strings.showCode, source);
    if (has("injected-parameters")) source = `<p class="note">${escapeHtml(strings.injected)}</p>${source}`;
  }
  let output = has("remove-output", "remove-outputs")
    ? ""
    : cell.outputs.map((item) => renderOutput(item, fragments)).join("");
  if (output !== "" && (has("hide-output", "hide-cell") || jupyter.outputs_hidden))
    output = fold("fold", strings.showOutput, output);
  if (source === "" && output === "") return "";
  return (
    `<section class="cell" id="${id}" aria-label="${escapeHtml(strings.code(label))}">` +
    `<div class="prompt" aria-hidden="true">${label}</div><div class="input">${source}</div>` +
    (output === "" ? "" : `<div class="outputs">${output}</div>`) +
    `</section>`
  );
}

/** Without colours where they would take too long. */
function colour(code: string, language: string | undefined): string {
  return withinLimits(
    code.length,
    () => highlight(code, language),
    () => escapeHtml(code),
  );
}

function fold(kind: string, summary: string, content: string): string {
  return `<details class="${kind}"><summary>${escapeHtml(summary)}</summary>${content}</details>`;
}

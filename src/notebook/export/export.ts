/** A notebook to one HTML page that loads nothing and runs nothing of the notebook's own. */
import { highlight, loadLanguages, splitHighlighted } from "../../explain/highlight.js";
import { markdownRenderer } from "../../explain/markdown.js";
import { loadMathRenderer, mayHoldMath, unrendered } from "../../explain/math.js";
import { panelFromMarkdown, panelTag, readPanel } from "../../explain/panel.js";
import { loadPhraseSplitter } from "../../explain/phrases.js";
import { escapeHtml } from "../escape.js";
import { text } from "../mime.js";
import { type Cell, type CodeCell, isCode, isMarkdown, type Notebook, tagsOf } from "../nbformat.js";
import { checkHtml, checkMarkdown, TooComplexError, withTimeLimit } from "./limits.js";
import { createOutline } from "./outline.js";
import { type OutputRenderer, renderOutput } from "./outputs.js";
import { renderPage } from "./page.js";
import { prepareFragment } from "./prepare.js";
import { sanitize } from "./sanitize.js";
import { strings as allStrings } from "./strings.js";
import { parseHtml, writeHtml } from "./tree.js";

export interface ExportOptions {
  /** File name without folder; the page's title when the notebook has none. */
  name?: string;
  /** Where pictures that the Markdown names are looked for; without it none are read. */
  folder?: string;
  /** Language of the page's own words. Default "ja". */
  ui?: "ja" | "en";
  /** Language of the notebook's text, for `lang`. Default "ja". */
  lang?: string;
}

export async function exportHtml(notebook: Notebook, options: ExportOptions = {}): Promise<string> {
  const strings = allStrings[options.ui ?? "ja"];
  const language = codeLanguage(notebook);
  await loadLanguages([...(language ? [language] : []), ...fenceLanguages(notebook)]);
  const renderMath = notebook.cells.some(needsMath) ? await loadMathRenderer() : unrendered;
  const splitPhrases = notebook.cells.some(isMarkdown) ? await loadPhraseSplitter() : (text: string) => [text];
  const markdownToHtml = markdownRenderer({ renderMath });
  const title = pageTitle(notebook, options.name);
  const outline = createOutline(levels(notebook, title));

  const fragment = (html: string, listed: boolean, cell?: Cell): string => {
    checkHtml(html);
    const body = parseHtml(html);
    const attachments = cell && "attachments" in cell ? cell.attachments : undefined;
    const { uniqueId } = outline;
    prepareFragment(body, { strings, folder: options.folder, attachments, uniqueId, splitPhrases });
    outline.apply(body, listed);
    return writeHtml(body);
  };
  const markdown = (source: string, listed: boolean, cell?: Cell): string => {
    try {
      checkMarkdown(source);
      return sanitize(withTimeLimit(source.length, () => fragment(markdownToHtml(source), listed, cell)));
    } catch (error) {
      // No reader could follow it either, so it is shown as it was written.
      if (tooMuch(error)) return `<pre tabindex="0">${escapeHtml(source)}</pre>`;
      throw error;
    }
  };
  const panel = (source: string, cell?: Cell): string => {
    const { title, body } = readPanel(source) ?? panelFromMarkdown(source);
    const id = outline.uniqueId(`${strings.panel}-${title}`);
    const heading =
      title === ""
        ? ""
        : `<span class="panel-title budoux">${splitPhrases(title).map(escapeHtml).join("<wbr>")}</span>`;
    return (
      `<details class="panel" id="${escapeHtml(id)}"><summary><span class="panel-mark">${strings.panel}</span>${heading}</summary>` +
      `<div class="panel-body">${markdown(body, false, cell)}</div></details>`
    );
  };
  const outputs: OutputRenderer = {
    strings,
    markdown: (source) => markdown(source, false),
    html(source) {
      try {
        return visible(sanitize(withTimeLimit(source.length, () => fragment(source, false))));
      } catch (error) {
        if (tooMuch(error)) return "";
        throw error;
      }
    },
    latex: (source) =>
      sanitize(fragment(renderMath(source.replace(/^\s*\$+|\$+\s*$/g, ""), /^\s*\$\$|\\begin/.test(source)), false)),
    panel: (source) => panel(source),
  };

  const cells = notebook.cells.map((cell, index) => {
    const id = outline.uniqueId(`cell-${cell.id ?? index + 1}`);
    if (isCode(cell)) return renderCode(cell, id, language, outputs);
    if (!isMarkdown(cell))
      return cell.source.trim() === ""
        ? ""
        : `<pre class="raw" id="${id}" tabindex="0">${escapeHtml(cell.source)}</pre>`;
    if (isPanel(cell)) return panel(cell.source, cell);
    return `<section class="cell markdown" id="${id}">${markdown(cell.source, true, cell)}</section>`;
  });
  const body = cells.join("\n");
  return renderPage({
    title,
    body,
    headings: outline.headings,
    strings,
    lang: options.lang ?? "ja",
    needsTitle: !/<h1[ >]/.test(body),
  });
}

function renderCode(cell: CodeCell, id: string, language: string | undefined, renderer: OutputRenderer): string {
  const { strings } = renderer;
  const tags = tagsOf(cell);
  const jupyter = (cell.metadata.jupyter ?? {}) as { source_hidden?: boolean; outputs_hidden?: boolean };
  const has = (...names: string[]) => names.some((name) => tags.includes(name));
  if (has("remove-cell")) return "";
  const label = Number.isInteger(cell.execution_count) ? String(cell.execution_count) : "";

  let source = "";
  if (cell.source.trim() !== "" && !has("remove-input")) {
    const lines = splitHighlighted(highlight(cell.source.replace(/\s+$/, ""), language));
    const code = lines.map((line) => `<span class="l">${line}</span>`).join("\n");
    source = `<pre class="code" tabindex="0"><code translate="no">${code}</code></pre>`;
    if (has("hide-input", "hide-cell") || jupyter.source_hidden) source = fold("fold", strings.showCode, source);
    if (has("injected-parameters")) source = `<p class="note">${escapeHtml(strings.injected)}</p>${source}`;
  }
  let output = has("remove-output", "remove-outputs")
    ? ""
    : cell.outputs.map((item) => renderOutput(item, renderer)).join("");
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

function fold(kind: string, summary: string, content: string): string {
  return `<details class="${kind}"><summary>${escapeHtml(summary)}</summary>${content}</details>`;
}

/** A RangeError is the stack: some nesting that the limits do not know. */
function tooMuch(error: unknown): boolean {
  return error instanceof TooComplexError || error instanceof RangeError;
}

/** Nothing, when all that an output showed was script. */
function visible(html: string): string {
  return /<(?:img|audio|video|math|hr)\b/.test(html) || html.replace(/<[^>]*>/g, "").trim() !== "" ? html : "";
}

function isPanel(cell: Cell): boolean {
  return (
    tagsOf(cell).includes(panelTag) ||
    (/^\s*<details\b[^>]*\bkaisetsu\b/.test(cell.source) && readPanel(cell.source) !== undefined)
  );
}

function needsMath(cell: Cell): boolean {
  if (isMarkdown(cell)) return mayHoldMath(cell.source);
  if (!isCode(cell)) return false;
  return cell.outputs.some(
    (output) =>
      "data" in output && ("text/latex" in output.data || mayHoldMath(text(output.data["text/markdown"]) ?? "")),
  );
}

function codeLanguage({ metadata }: Notebook): string | undefined {
  const name = metadata.language_info?.name ?? metadata.kernelspec?.language;
  return typeof name === "string" ? name.toLowerCase().replace("ipython", "python") : undefined;
}

function fenceLanguages(notebook: Notebook): string[] {
  return notebook.cells.flatMap((cell) =>
    isMarkdown(cell)
      ? [...cell.source.matchAll(/^ {0,3}(?:```+|~~~+)\s*([\w-]+)/gm)].map((match) => match[1]!.toLowerCase())
      : [],
  );
}

/** The notebook's own title, else its first heading of the first level, else the file's name. */
function pageTitle({ metadata, cells }: Notebook, name = "notebook"): string {
  if (typeof metadata.title === "string" && metadata.title.trim() !== "") return metadata.title.trim();
  for (const cell of cells) {
    const match = isMarkdown(cell) && !isPanel(cell) && /^ {0,3}#\s+(.+?)\s*#*$/m.exec(cell.source);
    if (match) return match[1]!.replace(/[*_`]|<[^>]*>/g, "");
  }
  return name.replace(/\.ipynb$/i, "");
}

/** The heading that is the title is the page's only `h1`; other headings of the first level come below it. */
function levels(notebook: Notebook, title: string): (written: number, heading: string) => number {
  const first = notebook.cells
    .filter((cell) => isMarkdown(cell) && !isPanel(cell))
    .flatMap((cell) => cell.source.match(/^ {0,3}#\s/gm) ?? []);
  let titleSeen = false;
  return (written, heading) => {
    if (!titleSeen && written === 1 && (heading === title || first.length === 1)) {
      titleSeen = true;
      return 1;
    }
    return first.length > 1 ? written + 1 : Math.max(2, written);
  };
}

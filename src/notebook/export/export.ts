/** A notebook to one HTML page that loads nothing and runs nothing of the notebook's own. */
import { loadLanguages } from "../../explain/highlight.js";
import { fenceLanguages } from "../../explain/markdown.js";
import { loadMathRenderer, mayHoldMath, unrendered } from "../../explain/math.js";
import { loadPhraseSplitter } from "../../explain/phrases.js";
import type { LiveCell } from "../live/manifest.js";
import { text } from "../mime.js";
import { type Cell, isCode, isMarkdown, type Notebook } from "../nbformat.js";
import { renderCell } from "./cells.js";
import { createFragmentRenderer } from "./fragments.js";
import { resetTimeLimit } from "./limits.js";
import type { LiveFile } from "./live.js";
import { createOutline } from "./outline.js";
import { type PageLinks, renderPage } from "./page.js";
import { strings as allStrings } from "./strings.js";
import { pageLevels, pageTitle } from "./title.js";

export interface ExportOptions {
  /** File name without folder; the page's title when the notebook has none. */
  name?: string;
  /** Where pictures that the Markdown names are looked for; without it none are read. */
  folder?: string;
  /** Pictures may lie anywhere in it. Default: `folder`. */
  root?: string;
  /** Of a site: the page's neighbours. */
  links?: PageLinks;
  /** Of a site: the address of the page that another notebook became, by its path relative to this one. */
  linkTo?: (notebook: string) => string | undefined;
  /** Language of the page's own words. Default "ja". */
  ui?: "ja" | "en";
  /** Language of the notebook's text, for `lang`. Default "ja". */
  lang?: string;
  /** Makes a page whose cells the reader can run, with these files. See `readLiveFiles`. */
  live?: { files: LiveFile[] };
}

/** A cell for which the exporter finds no way to show it. */
export class ExportError extends Error {
  override name = "ExportError";
  constructor({ id }: Cell, index: number, cause: Error) {
    super(`cell ${index + 1}${id === undefined ? "" : ` (${id})`} cannot be shown: ${cause.message}`, { cause });
  }
}

/** @throws ExportError naming the cell that cannot be shown; LivePageError for a live page that cannot be made */
export async function exportHtml(original: Notebook, options: ExportOptions = {}): Promise<string> {
  const { folder, root, linkTo, links, lang = "ja", live } = options;
  const strings = allStrings[options.ui ?? "ja"];
  const liveParts = live && (await import("./live.js"));
  const notebook = liveParts ? await liveParts.prepareLiveNotebook(original, strings.lang) : original;
  resetTimeLimit();
  const language = codeLanguage(notebook);
  await loadLanguages([...(language ? [language] : []), ...languagesIn(notebook)]);
  const renderMath = notebook.cells.some(needsMath) ? await loadMathRenderer() : unrendered;
  const splitPhrases = notebook.cells.some(isMarkdown) ? await loadPhraseSplitter() : (text: string) => [text];

  const title = pageTitle(notebook, options.name);
  const outline = createOutline(pageLevels(notebook, title));
  const fragments = createFragmentRenderer({ strings, outline, renderMath, splitPhrases, folder, root, linkTo });
  const runnable: LiveCell[] = [];
  const body = notebook.cells
    .map((cell, index) => {
      const id = outline.uniqueId(`cell-${cell.id ?? index + 1}`);
      if (isCode(cell)) {
        runnable.push({ element: id, name: strings.code(String(runnable.length + 1)), source: cell.source });
      }
      try {
        return renderCell(cell, id, { fragments, language });
      } catch (error) {
        throw new ExportError(cell, index, error as Error);
      }
    })
    .join("\n");
  return renderPage({
    title,
    body,
    headings: outline.headings,
    strings,
    lang,
    needsTitle: !/<h1[ >]/.test(body),
    links,
    live: live && liveParts?.createLiveParts(runnable, live.files, strings.lang),
  });
}

function needsMath(cell: Cell): boolean {
  if (markdownOf(cell).some(mayHoldMath)) return true;
  return isCode(cell) && cell.outputs.some((output) => "data" in output && "text/latex" in output.data);
}

function codeLanguage({ metadata }: Notebook): string | undefined {
  const name = metadata.language_info?.name ?? metadata.kernelspec?.language;
  return typeof name === "string" ? name.toLowerCase().replace("ipython", "python") : undefined;
}

function languagesIn(notebook: Notebook): Set<string> {
  const names = new Set(notebook.cells.flatMap((cell) => markdownOf(cell).flatMap(fenceLanguages)));
  return new Set([...names].slice(0, mostLanguages));
}

/** More than any text has; each costs a look into a folder. */
const mostLanguages = 50;

/** The Markdown of a cell: its own, or that of its outputs. */
function markdownOf(cell: Cell): string[] {
  if (isMarkdown(cell)) return [cell.source];
  if (!isCode(cell)) return [];
  return cell.outputs.flatMap((output) => ("data" in output ? (text(output.data["text/markdown"]) ?? []) : []));
}

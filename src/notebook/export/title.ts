/** What the notebook is called, and which of its headings is the page's own. */
import { type Cell, isMarkdown, type Notebook } from "../nbformat.js";
import { isPanel } from "./cells.js";

/** The notebook's own title, else its first heading of the first level, else the file's name. */
export function pageTitle({ metadata, cells }: Notebook, name = "notebook"): string {
  if (typeof metadata.title === "string" && metadata.title.trim() !== "") return metadata.title.trim();
  for (const cell of cells) {
    const match = isText(cell) && /^ {0,3}#\s+(.+?)\s*#*$/m.exec(cell.source);
    if (match) return match[1]!.replace(/[*_`]|<[^>]*>/g, "");
  }
  return name.replace(/\.ipynb$/i, "");
}

/** The first sentence of the notebook's prose, without its markup; empty when it has none. */
export function firstSentence({ cells }: Notebook): string {
  for (const cell of cells) {
    if (!isText(cell)) continue;
    for (const block of cell.source.replace(/^ {0,3}(```|~~~)[\s\S]*?^ {0,3}\1/gm, "").split(/\n[ \t]*\n/)) {
      const text = plainProse(block.replace(/^ {0,3}#.*$/gm, "").trim());
      if (text !== "") return sentence(text);
    }
  }
  return "";
}

/** Nothing for lists, tables, quotations, formulas, pictures and HTML. */
function plainProse(block: string): string {
  if (/^(?:[-*+>|$<!]|\d+[.)]\s| {4})/.test(block)) return "";
  return block
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/<[^>]*>|[*`]|\b_|_\b/g, "")
    .replace(/([\u3000-\u9fff])\s*\n\s*(?=[\u3000-\u9fff])/g, "$1")
    .replace(/\s+/g, " ")
    .trim();
}

function sentence(text: string): string {
  const [first = ""] = /^.*?(?:[。！？]|[.!?](?=\s|$)|$)/.exec(text) ?? [];
  return first.length <= 160 ? first : `${first.slice(0, 158)}……`;
}

/** The heading that is the title is the page's only `h1`; other headings of the first level come below it. */
export function pageLevels({ cells }: Notebook, title: string): (written: number, heading: string) => number {
  const first = cells.filter(isText).flatMap((cell) => cell.source.match(/^ {0,3}#\s/gm) ?? []);
  let titleSeen = false;
  return (written, heading) => {
    if (!titleSeen && written === 1 && (heading === title || first.length === 1)) {
      titleSeen = true;
      return 1;
    }
    return first.length > 1 ? written + 1 : Math.max(2, written);
  };
}

function isText(cell: Cell): boolean {
  return isMarkdown(cell) && !isPanel(cell);
}

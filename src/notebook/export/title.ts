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

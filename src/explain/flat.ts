/**
 * A panel as one HTML block, for `nbconvert --embed-images`: that passes each block through an HTML parser by itself, which
 * closes `<details>` at the first blank line and leaves the explanation outside of it.
 */
import type { Panel } from "./panel.js";
import { writePanel } from "./panel.js";

/** @param markdownToHtml renders the body; what it gives is not sanitised here */
export function writeFlatPanel(panel: Panel, markdownToHtml: (markdown: string) => string): string {
  const [opening, summary] = writePanel(panel).split("\n") as [string, string];
  const body = markdownToHtml(panel.body)
    // Inside <pre> a line end counts, and a blank one would end the block.
    .replace(/<pre[\s\S]*?<\/pre>/g, (pre) => pre.replace(/\n/g, "&#10;"))
    .replace(/\n\s*\n/g, "\n")
    .replace(/\$/g, "&#36;")
    .trim();
  return `${opening}\n${summary}\n${body}\n</details>`;
}

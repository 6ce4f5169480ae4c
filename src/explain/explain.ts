import { display } from "../notebook/display.js";
import { panelFromMarkdown, writePanel } from "./panel.js";

/**
 * Shows an explanation panel in the output of the running cell, in the same markup that a notebook stores.
 *
 * @param markdown plain Markdown; without `title`, a heading on the first line becomes the panel's title
 */
export function explain(markdown: string, options: { title?: string } = {}): void {
  const panel = panelFromMarkdown(markdown);
  if (options.title !== undefined) {
    if (panel.title !== "" && panel.title !== options.title) panel.body = `#### ${panel.title}\n\n${panel.body}`;
    panel.title = options.title;
  }
  // As Markdown, not HTML: then every viewer renders and sanitises it exactly as the panels between the cells.
  display.bundle({ "text/markdown": writePanel(panel), "text/plain": panelText(panel) });
}

function panelText({ title, body }: { title: string; body: string }): string {
  return `【解説${title && `：${title}`}】\n${body}\n`;
}

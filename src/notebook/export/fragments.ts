/** Markdown, HTML and TeX of a notebook to HTML that may stand in the page. */
import { markdownRenderer } from "../../explain/markdown.js";
import { type RenderMath, unrendered } from "../../explain/math.js";
import { panelFromMarkdown, readPanel } from "../../explain/panel.js";
import type { SplitPhrases } from "../../explain/phrases.js";
import { escapeHtml } from "../escape.js";
import type { Cell } from "../nbformat.js";
import { checkHtml, checkMarkdown, tooMuch, withinLimits, withTimeLimit } from "./limits.js";
import type { Outline } from "./outline.js";
import type { OutputRenderer } from "./outputs.js";
import { prepareFragment } from "./prepare.js";
import { sanitize } from "./sanitize.js";
import type { Strings } from "./strings.js";
import { parseHtml, writeHtml } from "./tree.js";

export interface FragmentOptions {
  strings: Strings;
  outline: Outline;
  renderMath: RenderMath;
  splitPhrases: SplitPhrases;
  /** Where pictures that the Markdown names are looked for, and what they may not lead out of. */
  folder?: string;
  root?: string;
  linkTo?: (notebook: string) => string | undefined;
}

export interface FragmentRenderer extends OutputRenderer {
  /** @param listed whether its headings go into the page's contents @param cell whose attachments it may name */
  markdown(source: string, listed?: boolean, cell?: Cell): string;
  panel(source: string, cell?: Cell): string;
}

export function createFragmentRenderer(options: FragmentOptions): FragmentRenderer {
  const { strings, outline, renderMath, splitPhrases, folder, root, linkTo } = options;
  const { uniqueId } = outline;
  const markdownToHtml = markdownRenderer({ renderMath });

  const prepare = (html: string, listed = false, cell?: Cell): string => {
    checkHtml(html);
    const body = parseHtml(html);
    const attachments = cell && "attachments" in cell ? cell.attachments : undefined;
    prepareFragment(body, { strings, folder, root, attachments, uniqueId, splitPhrases, linkTo });
    outline.apply(body, listed);
    return writeHtml(body);
  };

  const renderer: FragmentRenderer = {
    strings,
    markdown(source, listed, cell) {
      try {
        checkMarkdown(source);
        return sanitize(withTimeLimit(source.length, () => prepare(markdownToHtml(source), listed, cell)));
      } catch (error) {
        // No reader could follow it either, so it is shown as it was written.
        if (tooMuch(error)) return `<pre tabindex="0">${escapeHtml(source)}</pre>`;
        throw error;
      }
    },
    html(source) {
      try {
        return sanitize(withTimeLimit(source.length, () => prepare(source)));
      } catch (error) {
        if (tooMuch(error)) return "";
        throw error;
      }
    },
    latex(source) {
      const tex = source.replace(/^\s*\$+|\$+\s*$/g, "");
      const display = /^\s*\$\$|\\begin/.test(source);
      const write = () => prepare(renderMath(tex, display));
      return sanitize(withinLimits(tex.length, write, () => prepare(unrendered(tex, display))));
    },
    panel(source, cell) {
      const { title, body } = readPanel(source) ?? panelFromMarkdown(source);
      const id = uniqueId(`${strings.panel}-${title}`);
      const words = splitPhrases(title).map(escapeHtml).join("<wbr>");
      const heading = title === "" ? "" : `<span class="panel-title budoux">${words}</span>`;
      return (
        `<details class="panel" id="${escapeHtml(id)}"><summary><span class="panel-mark">${strings.panel}</span>${heading}</summary>` +
        `<div class="panel-body">${renderer.markdown(body, false, cell)}</div></details>`
      );
    },
  };
  return renderer;
}

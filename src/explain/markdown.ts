/** Markdown to HTML. The result holds whatever HTML the author wrote: sanitise it before it goes into a page. */
import { Marked, type RendererObject } from "marked";
import { escapeHtml } from "../notebook/escape.js";
import { highlight } from "./highlight.js";
import { mathExtension, mayHoldMath, type RenderMath, unrendered } from "./math.js";

export interface MarkdownOptions {
  renderMath?: RenderMath;
}

/** The languages that the fences of a Markdown text name, for `loadLanguages`. */
export function fenceLanguages(markdown: string): string[] {
  return [...markdown.matchAll(/(?<![`~])(?:`{3,}|~{3,})[ \t]*([\w+#-]+)/g)].map((match) => match[1]!.toLowerCase());
}

export function markdownRenderer({ renderMath = unrendered }: MarkdownOptions = {}): (markdown: string) => string {
  const marked = new Marked({ gfm: true, async: false, renderer });
  // Apart, because its rules are tried at every place of a text.
  const withMath = new Marked({ gfm: true, async: false, renderer }, mathExtension(renderMath));
  return (markdown) => (mayHoldMath(markdown) ? withMath : marked).parse(markdown) as string;
}

const renderer: RendererObject = {
  code({ text, lang }) {
    const language = /^[\w+#-]+/.exec(lang ?? "")?.[0]?.toLowerCase();
    return `<pre class="code" tabindex="0"><code>${highlight(text, language)}</code></pre>\n`;
  },
  // A checkbox that cannot be checked is a picture of one.
  checkbox({ checked }) {
    return checked ? "☑ " : "☐ ";
  },
  codespan({ text }) {
    return `<code translate="no">${escapeHtml(text)}</code>`;
  },
};

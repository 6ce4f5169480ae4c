/** Markdown to HTML. The result holds whatever HTML the author wrote: sanitise it before it goes into a page. */
import { Marked } from "marked";
import { escapeHtml } from "../notebook/escape.js";
import { highlight } from "./highlight.js";
import { mathExtension, type RenderMath, unrendered } from "./math.js";

export interface MarkdownOptions {
  renderMath?: RenderMath;
}

export function markdownRenderer({ renderMath = unrendered }: MarkdownOptions = {}): (markdown: string) => string {
  const marked = new Marked({ gfm: true, async: false });
  marked.use(mathExtension(renderMath), {
    renderer: {
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
    },
  });
  return (markdown) => marked.parse(markdown) as string;
}

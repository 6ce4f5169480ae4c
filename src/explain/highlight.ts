/** Code to coloured HTML: only `<span class="hljs-…">` around escaped text. */
import hljs from "highlight.js/lib/common";
import { escapeHtml } from "../notebook/escape.js";

/** Colouring costs time in proportion, and nobody reads a program this long in a tutorial. */
const longestCode = 200_000;

/** Makes languages known that are not among the common ones; names that do not exist are ignored. */
export async function loadLanguages(names: Iterable<string>): Promise<void> {
  for (const name of new Set(names)) {
    // The name becomes part of a module path, so nothing but a plain word may pass.
    if (!/^[a-z][a-z0-9-]{0,30}$/.test(name) || hljs.getLanguage(name)) continue;
    try {
      const { default: language } = await import(`highlight.js/lib/languages/${name}`);
      hljs.registerLanguage(name, language);
    } catch {
      // Shown without colours.
    }
  }
}

/** @param language a name or alias of highlight.js; anything unknown gives plain escaped text */
export function highlight(code: string, language: string | undefined): string {
  if (!language || code.length > longestCode || !hljs.getLanguage(language)) return escapeHtml(code);
  try {
    return hljs.highlight(code, { language, ignoreIllegals: true }).value;
  } catch {
    return escapeHtml(code);
  }
}

/** Splits coloured code into lines, each of which closes the spans that it opened. */
export function splitHighlighted(html: string): string[] {
  const open: string[] = [];
  return html.split("\n").map((line) => {
    const start = open.join("");
    for (const [tag] of line.matchAll(/<span\b[^>]*>|<\/span>/g)) {
      if (tag === "</span>") open.pop();
      else open.push(tag);
    }
    return start + line + "</span>".repeat(open.length);
  });
}

/** TeX in Markdown, as JupyterLab marks it, to MathML, which needs neither fonts nor scripts. */
import type { MarkedExtension, Tokens } from "marked";
import { escapeHtml } from "../notebook/escape.js";

export type RenderMath = (tex: string, display: boolean) => string;

const environments = "(?:equation|align|aligned|gather|multline|eqnarray|alignat|split|cases|[pbvBV]?matrix|array)\\*?";

const inlineRules: { pattern: RegExp; display: boolean }[] = [
  { pattern: /^\$\$((?:[^$\\]|\\[\s\S])+?)\$\$/, display: true },
  // `$5 から $10` is money: no space inside the dollars, no digit after them.
  { pattern: /^\$(?![\s$])((?:[^$\\`]|\\[\s\S])*?[^\s$\\`]|(?:[^$\\`]|\\[\s\S])*?\\[^\s])\$(?!\d)/, display: false },
  { pattern: /^\\\\\(([\s\S]+?)\\\\\)/, display: false },
  { pattern: /^\\\\\[([\s\S]+?)\\\\\]/, display: true },
  { pattern: new RegExp(`^(\\\\begin\\{(${environments})\\}[\\s\\S]*?\\\\end\\{\\2\\})`), display: true },
];

/** Whether it is worth loading the TeX renderer at all. */
export function mayHoldMath(markdown: string): boolean {
  return /\$|\\begin\{|\\\\[([]/.test(markdown);
}

export async function loadMathRenderer(): Promise<RenderMath> {
  const { default: katex } = await import("katex");
  return (tex, display) => {
    try {
      // `trust: false` leaves out links and HTML; the limits end macro bombs.
      return katex.renderToString(tex, {
        output: "mathml",
        displayMode: display,
        throwOnError: true,
        trust: false,
        strict: "ignore",
        maxExpand: 1000,
        maxSize: 50,
      });
    } catch {
      return unrendered(tex, display);
    }
  };
}

export function unrendered(tex: string, display: boolean): string {
  return display ? `<pre><code>${escapeHtml(tex)}</code></pre>` : `<code>${escapeHtml(tex)}</code>`;
}

export function mathExtension(render: RenderMath): MarkedExtension {
  return {
    extensions: [
      {
        name: "math",
        level: "inline",
        start: (source: string) => {
          const at = source.search(/\$|\\begin\{|\\\\[([]/);
          return at < 0 ? undefined : at;
        },
        tokenizer: (source: string) => {
          for (const { pattern, display } of inlineRules) {
            const match = pattern.exec(source);
            if (match) return { type: "math", raw: match[0], text: match[1], display };
          }
          return undefined;
        },
        renderer: (token: Tokens.Generic) => render(token.text as string, token.display as boolean),
      },
      {
        // As a block of its own, or the underscores and backslashes of TeX would be Markdown.
        name: "mathBlock",
        level: "block",
        start: (source: string) => {
          const at = source.search(/^(?:\$\$|\\begin\{)/m);
          return at < 0 ? undefined : at;
        },
        tokenizer: (source: string) => {
          for (const { pattern } of [inlineRules[0]!, inlineRules[4]!]) {
            const match = pattern.exec(source);
            if (match && /^[ \t]*(?:\n|$)/.test(source.slice(match[0].length))) {
              return { type: "mathBlock", raw: match[0], text: match[1] };
            }
          }
          return undefined;
        },
        renderer: (token: Tokens.Generic) => `<div class="math">${render(token.text as string, true)}</div>\n`,
      },
    ],
  };
}

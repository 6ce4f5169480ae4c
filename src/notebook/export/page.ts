/** The frame around the cells: head, security policy, contents, style and the reader's tools. */
import { createHash } from "node:crypto";
import { escapeHtml } from "../escape.js";
import type { Heading } from "./outline.js";
import { script } from "./script.js";
import type { Strings } from "./strings.js";
import { style } from "./style.js";

export interface PageParts {
  title: string;
  /** Safe HTML. */
  body: string;
  headings: readonly Heading[];
  strings: Strings;
  /** BCP 47 tag of the notebook's text. */
  lang: string;
  /** The body has no heading of the first level. */
  needsTitle: boolean;
}

export function renderPage({ title, body, headings, strings, lang, needsTitle }: PageParts): string {
  const safeTitle = escapeHtml(title);
  return `<!DOCTYPE html>
<html lang="${/^[A-Za-z0-9-]{1,35}$/.test(lang) ? lang : "ja"}" class="numbers">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="kaisetsu">
<link rel="icon" href="data:,">
<title>${safeTitle}</title>
<style>${compact(style)}</style>
</head>
<body>
<a class="skip" href="#main">${strings.skip}</a>
<div class="layout">
${contents(headings, strings)}
<main id="main">
${needsTitle ? `<h1>${safeTitle}</h1>\n` : ""}${body}
</main>
</div>
<script>${script}</script>
</body>
</html>
`;
}

/** Nothing is fetched, nothing is sent, and no script runs but ours. */
function policy(): string {
  const hash = createHash("sha256").update(script).digest("base64");
  return (
    `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:; media-src data:; ` +
    "base-uri 'none'; form-action 'none'"
  );
}

function contents(headings: readonly Heading[], strings: Strings): string {
  const listed = headings.filter(({ level }) => level <= 3);
  if (listed.length === 0) return `<div class="toc"></div>`;
  const items = listed.map(
    ({ level, id, text }) =>
      `<li${level === 3 ? ' class="sub"' : ""}><a href="#${escapeHtml(id)}">${escapeHtml(text)}</a></li>`,
  );
  return `<nav class="toc" aria-label="${strings.toc}"><details open><summary>${strings.toc}</summary><ol>${items.join("")}</ol></details></nav>`;
}

function compact(css: string): string {
  return css.replace(/\n\s*/g, "\n").trim();
}

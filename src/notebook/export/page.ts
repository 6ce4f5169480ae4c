/** The frame around the cells: head, security policy, contents, style and the reader's tools. */
import { createHash } from "node:crypto";
import { escapeHtml } from "../escape.js";
import type { LiveParts } from "./live.js";
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
  /** For a page whose cells can run. */
  live?: LiveParts;
  links?: PageLinks;
}

/** Where a page of a site stands among the others. Addresses, escaped where an address must be. */
export interface PageLinks {
  index: string;
  previous?: { href: string; title: string };
  next?: { href: string; title: string };
}

export function renderPage(parts: PageParts): string {
  const { title, body, headings, strings, lang, needsTitle, links, live } = parts;
  const safeTitle = escapeHtml(title);
  return `<!DOCTYPE html>
<html lang="${/^[A-Za-z0-9-]{1,35}$/.test(lang) ? lang : "ja"}" class="numbers">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(live)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="kaisetsu">
<link rel="icon" href="data:,">
<title>${safeTitle}</title>
<style>${compact(style + (live?.style ?? ""))}</style>
</head>
<body>
<a class="skip" href="#main">${strings.skip}</a>
${tools(safeTitle, strings)}
<div class="layout">
${contents(headings, strings)}
<main id="main">
${links ? `<p class="up"><a href="${escapeHtml(links.index)}">${escapeHtml(strings.site.index)}</a></p>\n` : ""}${needsTitle ? `<h1>${safeTitle}</h1>\n` : ""}${body}
${links ? neighbours(links, strings) : ""}</main>
</div>
${searchDialog(strings)}
<script>${script}</script>${live ? `\n${live.tags}` : ""}
</body>
</html>
`;
}

function neighbours({ previous, next }: PageLinks, { site }: Strings): string {
  const link = (rel: "prev" | "next", word: string, to: PageLinks["next"]) =>
    to
      ? `<a rel="${rel}" href="${escapeHtml(to.href)}"><span>${escapeHtml(word)}</span> ${escapeHtml(to.title)}</a>`
      : "";
  const links = link("prev", site.previous, previous) + link("next", site.next, next);
  return links === "" ? "" : `<nav class="neighbours" aria-label="${escapeHtml(site.pages)}">${links}</nav>\n`;
}

/** The reader's tools; hidden until the script that works them has started. */
function tools(title: string, { tools: words }: Strings): string {
  const data = Object.entries(words.said).map(([name, word]) => `data-${name}="${escapeHtml(word)}"`);
  const box = (name: string, label: string, extra: string) =>
    `<label><input type="checkbox" data-class="${name}" ${extra}> ${escapeHtml(label)}</label>`;
  return `<header class="bar" hidden ${data.join(" ")}>
<a class="bar-title" href="#main">${title}</a>
<button type="button" data-do="search" title="${words.searchHint}">${searchIcon}<span>${words.search}</span></button>
<button type="button" data-do="panels" aria-pressed="false">${words.said.expand}</button>
<details class="menu"><summary>${words.display}</summary><div>${box("numbers", words.lineNumbers, "checked")}${box("no-code", words.showCode, 'checked data-inverse=""')}${box("no-outputs", words.showOutputs, 'checked data-inverse=""')}<p>${words.keys}</p></div></details>
<button type="button" class="theme" data-do="theme" aria-label="${words.said.auto}">${themeIcon}</button>
</header>`;
}

function searchDialog({ tools: words }: Strings): string {
  return `<dialog class="search" aria-label="${words.search}"><div><input type="search" aria-label="${words.searchFor}" placeholder="${words.searchFor}" autocomplete="off"><button type="button" class="close">${words.close}</button></div><p role="status"></p><ol></ol></dialog>`;
}

const searchIcon =
  '<svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.8" aria-hidden="true"><circle cx="7" cy="7" r="4.6"/><path d="m10.5 10.5 4 4"/></svg>';
const themeIcon =
  '<svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true"><circle cx="9" cy="9" r="7" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M9 2a7 7 0 0 1 0 14z" fill="currentColor"/></svg>';

/** Nothing is fetched, nothing is sent, and no script runs but ours, or in a live page those that ours makes. */
function policy(live: LiveParts | undefined): string {
  const hash = createHash("sha256").update(script).digest("base64");
  return (
    `default-src 'none'; script-src 'sha256-${hash}'${live ? ` ${live.scriptSources}` : ""}; ${live?.workerSource ?? ""}style-src 'unsafe-inline'; img-src data:; media-src data:; ` +
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

/**
 * The stored form of an explanation panel: one `<details>` whose body stays plain Markdown, so that it can be edited as
 * such and survives JupyterLab's sanitiser, VS Code, GitHub, Colab and nbconvert. Every byte of the opening lines is
 * chosen for that: inline style only (JupyterLab drops `<style>`), translucent colours (both themes), a blank line after
 * `</summary>` (without it Markdown is not parsed).
 */

import { unescapeHtml } from "../notebook/escape.js";

export interface Panel {
  /** Plain text, without the mark 「解説」. */
  title: string;
  /** Markdown. */
  body: string;
}

/** The tag in `metadata.tags` by which a panel's cell is known; markup may be stripped, tags are not. */
export const panelTag = "explanation";

const opening =
  '<details class="kaisetsu" lang="ja" style="background-color:rgba(138,111,92,0.10);border-left:5px solid #4CAF50;' +
  'border-radius:4px;margin:10px 0;padding:10px 16px;line-height:1.8">';
const summaryStyle = "font-size:1.17em;font-weight:bold;cursor:pointer";

/** Markdown to the stored markup. `readPanel` gives back what went in. */
export function writePanel({ title, body }: Panel): string {
  const heading = title === "" ? "<strong>解説</strong>" : `<strong>解説</strong>：${escapeText(title)}`;
  return `${opening}\n<summary style="${summaryStyle}">${heading}</summary>\n\n${body.trim()}\n\n</details>`;
}

/**
 * Takes a panel apart: the stored form, or any cell that is in essence one `<details>` with a `<summary>`, wrapped or
 * not in `<div>` and `<style>`, as people write by hand. Undefined when the cell is something else.
 */
export function readPanel(source: string): Panel | undefined {
  const bare = source.replace(/<style\b[\s\S]*?<\/style\s*>/gi, "").trim();
  const match =
    /^(?:<div\b[^>]*>\s*)*<details\b[^>]*>\s*<summary\b[^>]*>([\s\S]*?)<\/summary\s*>([\s\S]*)<\/details\s*>(?:\s*<\/div\s*>)*$/i.exec(
      bare,
    );
  if (!match) return undefined;
  const [, summary = "", inside = ""] = match;
  if (!nestsWell(outsideFences(inside))) return undefined;
  return { title: plainTitle(summary), body: unwrapDiv(inside) };
}

/**
 * What an author writes, to a panel: the first line, if it is a heading, becomes the title, and the headings below move
 * down so that the highest is `####` (a panel's headings must not mix with those of the page).
 */
export function panelFromMarkdown(markdown: string, defaultTitle = ""): Panel {
  const lines = markdown.replace(/\r\n?/g, "\n").trim().split("\n");
  const first = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/.exec(lines[0] ?? "");
  const body = first ? lines.slice(1).join("\n").trim() : lines.join("\n");
  return { title: first ? plainTitle(first[1]!).replace(/`/g, "") : defaultTitle, body: lowerHeadings(body) };
}

function lowerHeadings(markdown: string): string {
  const levels: number[] = [];
  eachHeading(markdown, (line, level) => {
    levels.push(level);
    return line;
  });
  const shift = Math.max(0, 4 - Math.min(...levels));
  if (levels.length === 0 || shift === 0) return markdown;
  return eachHeading(markdown, (line, level) => line.replace(/#+/, "#".repeat(Math.min(6, level + shift))));
}

/** Calls back for each heading line outside fenced code. */
function eachHeading(markdown: string, change: (line: string, level: number) => string): string {
  return eachLineOutsideFences(markdown, (line) => {
    const match = /^ {0,3}(#{1,6})(?=\s|$)/.exec(line);
    return match ? change(line, match[1]!.length) : line;
  });
}

export function eachLineOutsideFences(markdown: string, change: (line: string, index: number) => string): string {
  let fence: string | undefined;
  return markdown
    .split("\n")
    .map((line, index) => {
      const marker = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line);
      if (fence !== undefined) {
        if (marker && marker[1]!.startsWith(fence) && marker[2]!.trim() === "") fence = undefined;
        return line;
      }
      if (marker) {
        fence = marker[1]!;
        return line;
      }
      return change(line, index);
    })
    .join("\n");
}

function outsideFences(markdown: string): string {
  const kept: string[] = [];
  eachLineOutsideFences(markdown, (line) => {
    kept.push(line);
    return line;
  });
  return kept.join("\n");
}

/** Every disclosure inside closes inside; `</details> … <details>` would be the end of one panel and the start of another. */
function nestsWell(html: string): boolean {
  let depth = 0;
  // Code in a line is short; without a bound, long runs of backticks would be searched to the end again and again.
  const prose = html.replace(/(`+)(?!`)[\s\S]{0,2000}?[^`]\1(?!`)/g, "");
  for (const [tag] of prose.matchAll(/<\/?details\b/gi)) {
    depth += tag.startsWith("</") ? -1 : 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

/** A `<div>` around the whole body only carried a colour. */
function unwrapDiv(inside: string): string {
  const body = inside.replace(/^[ \t]*\n|\s+$/g, "").trim();
  const match = /^<div\b[^>]*>([\s\S]*)<\/div\s*>$/i.exec(body);
  return match && !/<div\b/i.test(match[1]!) ? match[1]!.trim() : body;
}

function plainTitle(summary: string): string {
  return unescapeHtml(summary.replace(/<[^>]+>/g, ""))
    .replace(/\s+/g, " ")
    .trim()
    .replace(/^(?:claude)?解説\s*[：:]?\s*/i, "");
}

function escapeText(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** What makes a panel break in one viewer or another, found in its stored markup. */
import { styleContrast } from "./contrast.js";
import { eachLineOutsideFences, panelFromMarkdown, readPanel, writePanel } from "./panel.js";

export interface Finding {
  /** 1-based line in the cell's source. */
  line: number;
  rule: string;
  message: string;
}

/** @param source the source of a cell tagged `explanation` */
export function lintPanel(source: string): Finding[] {
  const panel = readPanel(source);
  if (!panel) {
    const what = readPanel(writePanel(panelFromMarkdown(source)))
      ? "this explanation is not stored as a panel; `kaisetsu panels` (without --check) wraps it"
      : "<details> or </details> without its counterpart: write it in backticks, or this cannot become a panel";
    return [{ line: 1, rule: "stored-form", message: what }];
  }
  const findings: Finding[] = [];
  const canonical = writePanel(panel);
  if (source.trim() !== canonical) {
    findings.push({
      line: 1,
      rule: "stored-form",
      message: "the panel's markup differs from the stored form; `kaisetsu panels` mends it",
    });
  }
  if (panel.title === "") findings.push({ line: 1, rule: "summary", message: "the panel has no title" });
  let level = 3;
  eachLineOutsideFences(source, (line, index) => {
    const add = (rule: string, message: string) => findings.push({ line: index + 1, rule, message });
    const prose = line.replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, (code) => "x".repeat(code.length));
    const heading = /^ {0,3}(#{1,6})\s/.exec(line);
    if (heading) {
      const depth = heading[1]!.length;
      if (depth < 4) add("heading-level", `headings inside a panel start at ####, this is ${heading[1]}`);
      else if (depth > level + 1) add("heading-level", `the heading skips from level ${level} to ${depth}`);
      level = depth;
    }
    if (index > 1) {
      const forbidden = /<(style|script)\b|\s(id|role|aria-[a-z]+)\s*=\s*["']/i.exec(prose);
      if (forbidden)
        add("stripped", `JupyterLab removes ${forbidden[1] ? `<${forbidden[1]}>` : forbidden[2]} from Markdown`);
      for (const [, style] of prose.matchAll(/\bstyle\s*=\s*"([^"]*)"/gi)) {
        const ratio = styleContrast(style!);
        if (ratio !== undefined && ratio < 4.5)
          add("contrast", `text of contrast ${ratio.toFixed(2)}:1, less than 4.5:1`);
      }
      if (/<rt\b/i.test(prose) && !/<rp\b/i.test(prose))
        add("ruby-rp", "furigana needs <rp>（</rp>…<rp>）</rp>: JupyterLab drops <ruby>");
    }
    for (const text of brokenBold(line))
      add("bold", `"${text}" stays literal: put ** inside the brackets, or write <strong>`);
    if (countDollars(prose) % 2 === 1)
      add("dollar", "an unpaired $ becomes mathematics together with a later one; write it in backticks");
    return line;
  });
  return findings;
}

/**
 * CommonMark opens and closes emphasis by the characters on both sides, and takes Japanese brackets and full stops for
 * punctuation: `これは**「強調」**です` stays literal, and the next pair may bold the wrong text.
 */
function brokenBold(line: string): string[] {
  const broken: string[] = [];
  let open = -1;
  for (const match of blankCode(line).matchAll(/\*\*/g)) {
    const before = lastCharacter(line.slice(0, match.index));
    const after = firstCharacter(line.slice(match.index + 2));
    if (open < 0) {
      if (!flanks(before, after)) broken.push(excerpt(line, match.index));
      open = match.index;
    } else {
      if (!flanks(after, before)) broken.push(excerpt(line, match.index));
      open = -1;
    }
  }
  return broken;
}

/** CommonMark's flanking rule, seen from the outer side to the inner one. */
function flanks(outer: string, inner: string): boolean {
  if (inner === "" || /\s/u.test(inner)) return false;
  return !/[\p{P}\p{S}]/u.test(inner) || outer === "" || /[\s\p{P}\p{S}]/u.test(outer);
}

function firstCharacter(text: string): string {
  return [...text.slice(0, 2)][0] ?? "";
}

function lastCharacter(text: string): string {
  return [...text.slice(-2)].at(-1) ?? "";
}

function excerpt(line: string, at: number): string {
  return line.slice(Math.max(0, at - 8), at + 10);
}

/** Code keeps its backticks (they count as punctuation beside `**`) and loses what is inside. */
function blankCode(line: string): string {
  return line.replace(
    /(`+)(?!`)([\s\S]*?[^`])\1(?!`)/g,
    (_, ticks: string, inner: string) => ticks + " ".repeat(inner.length) + ticks,
  );
}

function countDollars(prose: string): number {
  return prose.replace(/\\\$/g, "").replace(/\$\$/g, "").match(/\$/g)?.length ?? 0;
}

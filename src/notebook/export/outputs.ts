/** Saved outputs of a code cell to HTML. */
import { readPanel } from "../../explain/panel.js";
import { escapeHtml } from "../escape.js";
import { unmark } from "../json.js";
import { isJsonType, text } from "../mime.js";
import type { ErrorOutput, Output } from "../nbformat.js";
import { imageData } from "./images.js";
import type { Strings } from "./strings.js";
import { ansiToHtml, lastWritten } from "./terminal.js";

export interface OutputRenderer {
  strings: Strings;
  /** Sanitised HTML of Markdown or HTML text. */
  markdown(source: string): string;
  html(source: string): string;
  latex(source: string): string;
  panel(source: string): string | undefined;
}

export function renderOutput(output: Output, renderer: OutputRenderer): string {
  if (output.output_type === "stream") return renderStream(output.name, output.text, renderer);
  if (output.output_type === "error") return renderError(output, renderer);
  return renderBundle(output.data, output.metadata, renderer);
}

/** Richest first, as nbconvert and JupyterLab choose; a type whose content comes to nothing passes to the next. */
function renderBundle(
  data: Record<string, unknown>,
  metadata: Record<string, unknown>,
  renderer: OutputRenderer,
): string {
  const { strings } = renderer;
  let removed = false;
  const html = text(data["text/html"]);
  if (html !== undefined) {
    const safe = renderer.html(html);
    if (isVisible(safe)) return `<div class="out rich">${safe}</div>`;
    removed = true;
  }
  const markdown = text(data["text/markdown"]);
  if (markdown !== undefined) {
    const panel = readPanel(markdown) && renderer.panel(markdown);
    if (panel) return panel;
    const safe = renderer.markdown(markdown);
    if (isVisible(safe)) return `<div class="out rich">${safe}</div>`;
    removed = true;
  }
  const alt = text(data["text/plain"])?.trim() || strings.noOutputText;
  for (const type of [
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
  ]) {
    const content = text(data[type]);
    if (content !== undefined) return renderImage(type, content, alt, metadata);
  }
  const latex = text(data["text/latex"]);
  if (latex !== undefined) return `<div class="out rich">${renderer.latex(latex)}</div>`;
  const note = removed ? `<p class="note">${escapeHtml(strings.interactive)}</p>` : "";
  const plain = text(data["text/plain"]);
  for (const type of ["application/pdf"]) {
    const content = text(data[type]);
    if (content !== undefined)
      return `${plain === undefined ? "" : renderText(plain, renderer)}${renderDownload(type, content, strings)}`;
  }
  if (plain !== undefined) return `${renderText(plain, renderer)}${note}`;
  const [type, content] = Object.entries(data)[0] ?? [];
  if (type === undefined) return note;
  const source = isJsonType(type) ? writeJson(content) : text(content);
  return source === undefined
    ? `<p class="note">${escapeHtml(strings.notShown(type))}</p>`
    : renderFolded(type, source, renderer);
}

/** Undefined for what is nested more deeply than the stack. */
function writeJson(content: unknown): string | undefined {
  try {
    return JSON.stringify(content, (_, value) => unmark(value), 2);
  } catch {
    return undefined;
  }
}

/** Not when all that an output showed was script. */
function isVisible(html: string): boolean {
  return /<(?:img|audio|video|math|hr)\b/.test(html) || html.replace(/<[^>]*>/g, "").trim() !== "";
}

function renderStream(name: string, content: string, renderer: OutputRenderer): string {
  return renderText(content, renderer, name === "stderr" ? "stream stderr" : "stream");
}

/** Text with terminal colours. A long one shows its beginning, and the rest behind a disclosure. */
function renderText(content: string, { strings }: OutputRenderer, kind = "plain"): string {
  const lines = ansiToHtml(lastWritten(content).replace(/\n+$/, "")).split("\n");
  const pre = (part: string[]) => `<pre class="out ${kind}" tabindex="0">${part.join("\n")}</pre>`;
  if (lines.length <= 60) return pre(lines);
  const open = closeSpans(lines.slice(0, 40));
  const rest = lines.slice(40);
  return (
    `${pre(open.lines)}<details class="more"><summary>${escapeHtml(strings.moreLines(rest.length))}</summary>` +
    `${pre([open.carry + rest[0]!, ...rest.slice(1)])}</details>`
  );
}

function renderError({ ename, evalue, traceback }: ErrorOutput, { strings }: OutputRenderer): string {
  const content = traceback.length > 0 ? traceback.join("\n") : `${ename}: ${evalue}`;
  return (
    `<div class="out error"><p class="error-name"><strong>${escapeHtml(strings.error)}</strong> ${escapeHtml(ename)}</p>` +
    `<pre tabindex="0">${ansiToHtml(content)}</pre></div>`
  );
}

function renderImage(type: string, content: string, alt: string, metadata: Record<string, unknown>): string {
  const size = (metadata[type] ?? metadata) as Record<string, unknown>;
  const dimensions = ["width", "height"]
    .map((name) => [name, Number(size?.[name])] as const)
    .filter(([, value]) => Number.isInteger(value) && value > 0 && value < 100_000)
    .map(([name, value]) => ` ${name}="${value}"`)
    .join("");
  return `<div class="out picture"><img src="${imageData(type, content)}" alt="${escapeHtml(alt.slice(0, 500))}"${dimensions}></div>`;
}

function renderDownload(type: string, content: string, strings: Strings): string {
  const data = `data:${type};base64,${content.replace(/[^A-Za-z0-9+/=]/g, "")}`;
  return `<p class="out"><a download="output.${type.split("/")[1]}" href="${data}">${escapeHtml(strings.download(type))}</a></p>`;
}

function renderFolded(type: string, source: string, { strings }: OutputRenderer): string {
  return (
    `<details class="out more"><summary>${escapeHtml(strings.notShown(type))}</summary>` +
    `<pre class="plain" tabindex="0">${escapeHtml(source)}</pre></details>`
  );
}

/** ansi_up never nests spans, so at most one is open at the end of a line. */
function closeSpans(lines: string[]): { lines: string[]; carry: string } {
  const joined = lines.join("\n");
  const lastOpen = joined.lastIndexOf("<span");
  if (lastOpen <= joined.lastIndexOf("</span>")) return { lines, carry: "" };
  const tag = joined.slice(lastOpen, joined.indexOf(">", lastOpen) + 1);
  return { lines: [...lines.slice(0, -1), `${lines.at(-1)}</span>`], carry: tag };
}

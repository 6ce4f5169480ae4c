/**
 * Showing things in a cell's output, wherever the code happens to run: our kernel, stock tslab, or plain Node (as text).
 */
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { type ChartSpec, chartBundle } from "./chart.js";
import { notebookHost } from "./host.js";
import { bundleToText } from "./mime.js";

/** MIME type to content; binary content as base64, as in a notebook file. */
export type MimeBundle = Record<string, unknown>;

export interface Display {
  html(html: string): void;
  markdown(markdown: string): void;
  latex(latex: string): void;
  text(text: string): void;
  svg(svg: string): void;
  /** Image bytes, or the same already in base64. */
  png(image: Uint8Array | string): void;
  jpeg(image: Uint8Array | string): void;
  gif(image: Uint8Array | string): void;
  json(value: unknown): void;
  /** A line chart as an accessible SVG picture with its numbers in a table behind a disclosure. */
  chart(spec: ChartSpec): void;
  /** The same thing in several MIME types; the viewer takes the richest one that it knows. */
  bundle(data: MimeBundle, metadata?: Record<string, unknown>): void;
}

/** Whether the code runs in a notebook, so that a display shows more than text. */
export function inNotebook(): boolean {
  return notebookHost() !== undefined || runningTslab() !== undefined;
}

/** Appends to the output of the running cell. */
export const display: Display = makeDisplay();

/** A display that replaces its own content: the first call shows it, later calls update it in place. */
export function newDisplay(): Display {
  return makeDisplay(randomUUID());
}

function makeDisplay(displayId?: string): Display {
  let shown = false;
  let lastText: string | undefined;
  const bundle: Display["bundle"] = (data, metadata = {}) => {
    const update = shown && displayId !== undefined;
    shown = true;
    const host = notebookHost();
    if (host)
      return host.display(data, { metadata, ...(displayId === undefined ? {} : { display_id: displayId }), update });
    const tslab = runningTslab();
    if (tslab)
      return tslab({ data, metadata, transient: displayId === undefined ? {} : { display_id: displayId } }, update);
    const text = bundleToText(data);
    // A terminal has no place to update, so an unchanged text is not repeated.
    if (update && text === lastText) return;
    lastText = text;
    process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  };
  return {
    bundle,
    html: (html) => bundle({ "text/html": html }),
    markdown: (markdown) => bundle({ "text/markdown": markdown }),
    latex: (latex) => bundle({ "text/latex": latex }),
    text: (text) => bundle({ "text/plain": text }),
    svg: (svg) => bundle({ "image/svg+xml": svg }),
    png: (image) => bundle({ "image/png": base64(image) }),
    jpeg: (image) => bundle({ "image/jpeg": base64(image) }),
    gif: (image) => bundle({ "image/gif": base64(image) }),
    json: (value) => bundle({ "application/json": value, "text/plain": JSON.stringify(value, null, 2) ?? "undefined" }),
    chart: (spec) => bundle(chartBundle(spec)),
  };
}

function base64(image: Uint8Array | string): string {
  if (typeof image === "string") return image;
  return Buffer.from(image.buffer, image.byteOffset, image.byteLength).toString("base64");
}

type TslabWriter = (
  content: { data: MimeBundle; metadata: Record<string, unknown>; transient: { display_id?: string } },
  update: boolean,
) => void;

/**
 * tslab's public `display` sends one MIME type a message, and a second copy of the package would know no kernel. So we
 * take the writer of the copy that is running, which CommonJS keeps in its cache.
 */
function runningTslab(): TslabWriter | undefined {
  const { cache } = createRequire(import.meta.url);
  const file = Object.keys(cache).find((path) => /[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(path));
  const exports =
    file === undefined ? undefined : (cache[file]?.exports as { lastWriteDisplayData?: TslabWriter | null });
  return exports?.lastWriteDisplayData ?? undefined;
}

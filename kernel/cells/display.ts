import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { recordsTable } from "../../src/notebook/records-table.js";
import type { MimeBundle } from "../messages.js";
import { currentCell } from "./context.js";
import { post } from "./port.js";

export interface Shown {
  data: MimeBundle;
  metadata?: Record<string, unknown>;
}

/** A method under this symbol returns the MIME bundle that shows the object; Deno uses the same symbol. */
export const DISPLAY = Symbol.for("Jupyter.display");

/** How the last expression of a cell is shown. A MIME bundle always has `text/plain`. */
export function format(value: unknown): Shown | Promise<Shown> {
  const own = displayMethod(value);
  if (own) {
    const made = own.call(value);
    const finish = (bundle: unknown): Shown => ({ data: withText(toBundle(bundle), value) });
    return made instanceof Promise ? made.then(finish) : finish(made);
  }
  if (value instanceof Uint8Array) {
    const mime = imageType(value);
    if (mime) return { data: { [mime]: base64(value), "text/plain": `${mime}, ${value.length} bytes` } };
  }
  if (typeof (value as { toSpec?: unknown })?.toSpec === "function") return vega(value as { toSpec(): unknown });
  if (isSvgElement(value)) return { data: { "image/svg+xml": value.outerHTML, "text/plain": "SVG image" } };
  if (isHtmlElement(value)) return { data: { "text/html": value.outerHTML, "text/plain": value.textContent ?? "" } };
  const text = { "text/plain": inspect(value) };
  const html = recordsTable(value);
  return { data: html === undefined ? text : { "text/html": html, ...text } };
}

function displayMethod(value: unknown): (() => unknown) | undefined {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  const method = (value as Record<symbol, unknown>)[DISPLAY];
  return typeof method === "function" ? (method as () => unknown) : undefined;
}

function toBundle(bundle: unknown): MimeBundle {
  if (typeof bundle === "object" && bundle !== null) return encodeBytes(bundle as MimeBundle);
  return { "text/plain": String(bundle) };
}

/** Every result has a plain text: a front end without the other types must show something. */
function withText(data: MimeBundle, value: unknown): MimeBundle {
  if ("text/plain" in data) return data;
  return { ...data, "text/plain": inspect(value, { depth: 0 }) };
}

function encodeBytes(bundle: MimeBundle): MimeBundle {
  return Object.fromEntries(
    Object.entries(bundle).map(([mime, content]) => [mime, content instanceof Uint8Array ? base64(content) : content]),
  );
}

function vega(value: { toSpec(): unknown }): Shown {
  const spec = value.toSpec() as { $schema?: string };
  const mime = spec?.$schema?.includes("vega-lite")
    ? "application/vnd.vegalite.v5+json"
    : "application/vnd.vega.v5+json";
  return { data: { [mime]: spec, "text/plain": JSON.stringify(spec) } };
}

function isSvgElement(value: unknown): value is { outerHTML: string } {
  return isHtmlElement(value) && (value as { tagName?: string }).tagName?.toLowerCase() === "svg";
}

function isHtmlElement(value: unknown): value is { outerHTML: string; textContent: string | null } {
  return (
    typeof value === "object" && value !== null && typeof (value as { outerHTML?: unknown }).outerHTML === "string"
  );
}

function imageType(bytes: Uint8Array): string | undefined {
  const starts = (...magic: number[]) => magic.every((byte, i) => bytes[i] === byte);
  if (starts(0x89, 0x50, 0x4e, 0x47)) return "image/png";
  if (starts(0xff, 0xd8, 0xff)) return "image/jpeg";
  if (starts(0x47, 0x49, 0x46, 0x38)) return "image/gif";
  if (starts(0x52, 0x49, 0x46, 0x46) && bytes[8] === 0x57 && bytes[9] === 0x45) return "image/webp";
  return undefined;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

export interface DisplayOptions {
  metadata?: Record<string, unknown>;
  display_id?: string;
  update?: boolean;
}

/** `display_data`, or `update_display_data`, of a MIME bundle. */
export function sendDisplay(data: MimeBundle, options: DisplayOptions = {}): void {
  const cell = currentCell();
  if (cell.silent) return;
  const content = {
    data: encodeBytes(data),
    metadata: options.metadata ?? {},
    // An absent id is an absent key: nbclient stumbles over null.
    transient: options.display_id === undefined ? {} : { display_id: options.display_id },
  };
  post({ kind: "iopub", id: cell.id, msgType: options.update ? "update_display_data" : "display_data", content });
}

export interface DisplayHandle {
  readonly display_id: string;
  update(value: unknown, options?: { raw?: boolean; metadata?: Record<string, unknown> }): void;
}

/** Shows any value; with `raw`, the value is a MIME bundle already. */
export function display(value: unknown, options: DisplayOptions & { raw?: boolean } = {}): DisplayHandle {
  const display_id = options.display_id ?? randomUUID();
  const show = (shown: Shown) =>
    sendDisplay(shown.data, { ...options, metadata: options.metadata ?? shown.metadata, display_id });
  if (options.raw) show({ data: value as MimeBundle });
  else {
    const shown = format(value);
    if (shown instanceof Promise) shown.then(show);
    else show(shown);
  }
  return {
    display_id,
    update: (next, more) => void display(next, { ...more, display_id, update: true }),
  };
}

export function clearOutput(wait = false): void {
  const cell = currentCell();
  if (!cell.silent) post({ kind: "iopub", id: cell.id, msgType: "clear_output", content: { wait } });
}

/** Tagged templates whose value shows as HTML, Markdown or SVG. */
export function template(mime: string) {
  return (strings: TemplateStringsArray | string, ...values: unknown[]) => {
    const text = typeof strings === "string" ? strings : String.raw({ raw: strings }, ...values);
    return { [DISPLAY]: () => ({ [mime]: text, "text/plain": text }) };
  };
}

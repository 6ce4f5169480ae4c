import { inspect } from "node:util";
import { recordsTable } from "../../records-table.js";
import type { MimeBundle } from "../messages.js";

/** A method under this symbol returns the MIME bundle that shows the object, as in the kernel. */
const DISPLAY = Symbol.for("Jupyter.display");

/** How the last expression of a cell is shown; undefined for nothing. */
export async function shown(value: unknown): Promise<MimeBundle | undefined> {
  if (value === undefined || value === null) return undefined;
  const own = (value as Record<symbol, unknown>)[DISPLAY];
  if (typeof own === "function") {
    const bundle = (await own.call(value)) as MimeBundle;
    return "text/plain" in bundle ? bundle : { ...bundle, "text/plain": inspect(value, { depth: 0 }) };
  }
  const text = { "text/plain": inspect(value) };
  const html = recordsTable(value);
  return html === undefined ? text : { "text/html": html, ...text };
}

import { inspect } from "node:util";
import { escapeHtml } from "./escape.js";

const MAX_ROWS = 50;
const MAX_COLUMNS = 30;

/** HTML for an array of plain records, such as rows of a dataset or a log; undefined for anything else. */
export function recordsTable(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0 || !value.slice(0, MAX_ROWS).every(isRecord)) return undefined;
  const rows = value.slice(0, MAX_ROWS) as Record<string, unknown>[];
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (columns.length === 0 || columns.length > MAX_COLUMNS) return undefined;
  const head = ["", ...columns].map((name) => `<th>${escapeHtml(name)}</th>`).join("");
  const body = rows
    .map((row, i) => {
      const cells = columns.map((name) => `<td>${name in row ? escapeHtml(cellText(row[name])) : ""}</td>`);
      return `<tr><th>${i}</th>${cells.join("")}</tr>`;
    })
    .join("\n");
  const rest = value.length > MAX_ROWS ? `\n<p>${value.length - MAX_ROWS} more rows</p>` : "";
  return `<table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table>${rest}`;
}

function isRecord(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function cellText(value: unknown): string {
  return typeof value === "string" ? value : inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
}

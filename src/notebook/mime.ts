/** What a MIME bundle says when only text can be shown. */

import { unescapeHtml } from "./escape.js";

/** `text/plain` if there is one, else the nearest thing to it. Never empty. */
export function bundleToText(data: Record<string, unknown>): string {
  const plain = text(data["text/plain"]) ?? text(data["text/markdown"]) ?? text(data["text/latex"]);
  if (plain !== undefined) return plain;
  const html = text(data["text/html"]);
  if (html !== undefined) return htmlToText(html);
  if ("application/json" in data) return JSON.stringify(data["application/json"], null, 2);
  return `[${Object.keys(data).join(", ") || "empty output"}]`;
}

/** A notebook file may hold a text as an array of lines. */
export function text(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((line) => typeof line === "string")) return value.join("");
  return undefined;
}

/** Whether content of this type is a JSON value, not text. */
export function isJsonType(type: string): boolean {
  return type === "application/json" || (type.startsWith("application/") && type.endsWith("+json"));
}

/** Good enough to read on a terminal; never for showing in a page. */
function htmlToText(html: string): string {
  const text = html
    .replace(/<(style|script|svg)\b[\s\S]*?<\/\1>/gi, "")
    .replace(/<(br|\/p|\/div|\/tr|\/li|\/h[1-6]|\/summary)\b[^>]*>/gi, "\n")
    .replace(/<\/t[dh]>/gi, "\t")
    .replace(/<[^>]+>/g, "");
  return unescapeHtml(text)
    .replace(/[ \t]+\n/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

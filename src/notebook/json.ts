/** JSON as Python's notebook tools write it, so that a diff shows only what changed. */

/**
 * Like `json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)`: keys in code-point order, one space of
 * indentation, empty containers closed on the same line. `undefined` members are left out.
 */
export function stableStringify(value: unknown): string {
  return write(value, "\n");
}

/**
 * `JSON.parse` that keeps numbers which a JavaScript number would change (`1.0`, `12345678901234567890`) and Python's
 * `NaN` and `Infinity`, which are not JSON at all: they become marked strings, and `stableStringify` writes them as they were.
 */
export function parseKeepingNumbers(content: string): unknown {
  return JSON.parse(markNumbers(content));
}

/** Shows a kept number as it was; leaves everything else alone. */
export function unmark(value: unknown): unknown {
  return typeof value === "string" && kept.test(value) ? value.slice(mark.length) : value;
}

const mark = "\u0000number:";
const kept = /^\u0000number:(-?\d+(\.\d+)?([eE][+-]?\d+)?|-?Infinity|NaN)$/;

function write(value: unknown, newline: string): string {
  if (typeof value === "string") return kept.test(value) ? value.slice(mark.length) : JSON.stringify(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const inner = `${newline} `;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[${inner}${value.map((item) => write(item, inner)).join(`,${inner}`)}${newline}]`;
  }
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  if (entries.length === 0) return "{}";
  entries.sort(([a], [b]) => compareCodePoints(a, b));
  const members = entries.map(([key, member]) => `${JSON.stringify(key)}: ${write(member, inner)}`);
  return `{${inner}${members.join(`,${inner}`)}${newline}}`;
}

/** UTF-16 order, which `<` uses, puts characters beyond U+FFFF before U+E000; Python does not. */
function compareCodePoints(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Jumps from quote to quote: one regular expression over a 50 MB file of base64 would overflow its stack. */
function markNumbers(content: string): string {
  const parts: string[] = [];
  let at = 0;
  while (at < content.length) {
    const open = content.indexOf('"', at);
    const end = open < 0 ? content.length : open;
    parts.push(
      content
        .slice(at, end)
        .replace(/-?(?:\d[\d.eE+-]*|Infinity)|NaN/g, (number) =>
          survives(number) ? number : JSON.stringify(mark + number),
        ),
    );
    if (open < 0) break;
    const close = closingQuote(content, open);
    parts.push(content.slice(open, close));
    at = close;
  }
  return parts.join("");
}

function survives(number: string): boolean {
  return String(Number(number)) === number && number !== "NaN" && !number.endsWith("Infinity");
}

function closingQuote(content: string, open: number): number {
  for (let at = content.indexOf('"', open + 1); at >= 0; at = content.indexOf('"', at + 1)) {
    let slashes = 0;
    while (content[at - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return content.length;
}

/** A number that Python holds as a float, so that 30 is written as `30.0`. */
export class PythonFloat {
  constructor(readonly value: number) {}
}

/**
 * `json.dumps(value, indent=2, sort_keys=True) + "\n"` of Python, character for character: ASCII only, sorted keys,
 * floats as `repr` writes them, and bare `NaN` and `Infinity`. Plain numbers are integers, as long as they are whole.
 */
export function toPythonJson(value: unknown): string {
  return `${write(value, "")}\n`;
}

/** `JSON.parse` that also reads the bare `NaN`, `Infinity` and `-Infinity` that Python writes. */
export function parsePythonJson(text: string): unknown {
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity\b|\bNaN\b/g, (token) =>
    token.startsWith('"') ? token : JSON.stringify(marker + token),
  );
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && value.startsWith(marker) ? Number(value.slice(marker.length)) : value,
  );
}

// NUL cannot stand in JSON text unescaped, and nobody writes this word.
const marker = "\u0000python-float:";

/** `repr(float)`: shortest digits, exponent below 1e-4 and from 1e16, always a point or an exponent. */
export function formatPythonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits, exponentText] = Math.abs(value).toExponential().split("e") as [string, string];
  const exponent = Number(exponentText);
  const sign = value < 0 ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    return `${sign}${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const mantissa = digits.replace(".", "");
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${mantissa}`;
  const whole = mantissa.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${mantissa.slice(exponent + 1) || "0"}`;
}

function write(value: unknown, indent: string): string {
  if (value === null || value === undefined) return "null";
  if (value instanceof PythonFloat) return formatPythonFloat(value.value);
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) ? String(value) : formatPythonFloat(value);
    case "boolean":
      return String(value);
    case "string":
      return ascii(JSON.stringify(value));
    case "object":
      return Array.isArray(value) ? writeList(value, indent) : writeObject(value as Record<string, unknown>, indent);
    default:
      throw new TypeError(`JSON has no ${typeof value}`);
  }
}

function writeList(items: unknown[], indent: string): string {
  if (items.length === 0) return "[]";
  const inner = `${indent}  `;
  return `[\n${items.map((item) => inner + write(item, inner)).join(",\n")}\n${indent}]`;
}

function writeObject(object: Record<string, unknown>, indent: string): string {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return "{}";
  const inner = `${indent}  `;
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = entries.map(([key, value]) => `${inner}${ascii(JSON.stringify(key))}: ${write(value, inner)}`);
  return `{\n${lines.join(",\n")}\n${indent}}`;
}

function ascii(text: string): string {
  return text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

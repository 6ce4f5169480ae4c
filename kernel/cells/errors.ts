import { SourceMap } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect, stripVTControlCharacters } from "node:util";
import type { CellError } from "../messages.js";
import { excerpt } from "../traceback.js";

/** Raised in a cell that was interrupted; the name is Jupyter's. */
export class KeyboardInterrupt extends Error {
  override name = "KeyboardInterrupt";
}

/** `process.exit()` in a cell ends the cell. */
export class ProcessExit extends Error {
  override name = "ProcessExit";
  readonly #code: number;
  constructor(code: number) {
    super(`process.exit(${code})`);
    this.#code = code;
  }

  get exitCode(): number {
    return this.#code;
  }
}

interface CodeUnit {
  label: string;
  source: string;
  map: string | undefined;
  parsed?: SourceMap;
  mapOffset: number;
}

const units = new Map<string, CodeUnit>();
/** Source maps of cells that ran long ago are dropped; functions of theirs then show emitted positions. */
const MAX_UNITS = 2000;

/** Makes positions in `fileName` (of a vm script) appear as positions in the cell or the user's file. */
export function registerSource(fileName: string, unit: Omit<CodeUnit, "parsed">): void {
  units.set(fileName, unit);
  if (units.size > MAX_UNITS) units.delete(units.keys().next().value!);
}

interface Place {
  label: string;
  line: number;
  column: number;
  source: string;
}

function placeOf(fileName: string, line: number, column: number): Place | undefined {
  const unit = units.get(fileName);
  if (!unit) return undefined;
  if (!unit.map) return { label: unit.label, line, column, source: unit.source };
  unit.parsed ??= new SourceMap(JSON.parse(unit.map));
  const entry = unit.parsed.findEntry(line - 1, column - 1) as { originalLine?: number; originalColumn?: number };
  if (entry.originalLine === undefined) return undefined;
  return {
    label: unit.label,
    line: Math.max(1, entry.originalLine + 1 - unit.mapOffset),
    column: entry.originalColumn! + 1,
    source: unit.source,
  };
}

const ownFolder = dirname(dirname(fileURLToPath(import.meta.url)));
const ownPrefixes = [ownFolder, pathToFileURL(ownFolder).href];

function isOwn(fileName: string): boolean {
  return ownPrefixes.some((prefix) => fileName.startsWith(prefix)) && !units.has(fileName);
}

/** Stack traces name cells and lines of TypeScript, and end where the kernel begins. */
export function installStackTraces(): void {
  Error.prepareStackTrace = (error, sites) => {
    const frames: string[] = [];
    let inUserCode = false;
    for (const site of sites) {
      const fileName = site.getFileName() ?? "";
      if (isOwn(fileName)) {
        // Below the cell nothing else is of interest; what the kernel does for a cell (import, display) is hidden.
        if (inUserCode) break;
        frames.length = 0;
        continue;
      }
      inUserCode ||= fileName !== "" && !fileName.startsWith("node:");
      frames.push(`\n    at ${frameText(site, fileName)}`);
    }
    while (frames.length > 0 && /\(?node:(internal|vm)/.test(frames.at(-1)!)) frames.pop();
    return `${heading(error)}${frames.join("")}`;
  };
}

function heading(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

function frameText(site: NodeJS.CallSite, fileName: string): string {
  const text = String(site);
  const line = site.getLineNumber();
  const column = site.getColumnNumber();
  const place = line && column ? placeOf(fileName, line, column) : undefined;
  if (!place) {
    // Imports stand in front of the cell's first line.
    const unit = units.get(fileName);
    return unit ? text.replace(fileName, unit.label).replace(/:0:\d+/, "") : text;
  }
  const position = `${place.label}:${place.line}:${place.column}`;
  const name = /^(async )?(.*) \(/.exec(text);
  if (!name) return `${text.startsWith("async ") ? "async " : ""}${position}`;
  return `${text.slice(0, text.lastIndexOf(" ("))} (${position})`;
}

const red = (text: string) => `\u001b[31m${text}\u001b[39m`;

/**
 * What Jupyter calls an error: name, message, and a traceback that shows the failing line of the cell. Never throws,
 * whatever was thrown: a proxy or a getter may refuse to be looked at.
 */
export function describeError(thrown: unknown): CellError {
  try {
    return isError(thrown) ? described(thrown) : uncaught(typeof thrown === "string" ? thrown : inspect(thrown));
  } catch {
    return uncaught(`${typeof thrown} that cannot be shown`);
  }
}

function uncaught(text: string): CellError {
  return { ename: "Uncaught", evalue: text, traceback: [red(`Uncaught ${text}`)] };
}

function described(thrown: Error): CellError {
  const own = String(thrown.name || "Error");
  // A subclass that gave its errors no name.
  const ename = own === "Error" ? String(thrown.constructor?.name || own) : own;
  const evalue = String(thrown.message ?? "");
  // An error without frames is shown in brackets, before its members if it has any.
  const text = inspect(thrown).replace(/^\[([\s\S]*?)\]( \{\n[\s\S]*)?$/, "$1$2");
  const [first, ...rest] = text.split("\n");
  const excerpt = excerptFor(text);
  return { ename, evalue, traceback: [red(first!), ...rest, ...excerpt] };
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

/** The lines around the topmost position that is in a cell or in a module of the user's. */
function excerptFor(text: string): string[] {
  const plain = stripVTControlCharacters(text);
  for (const [, label, line, column] of plain.matchAll(/at (?:.*\()?(\S.*?):(\d+):(\d+)\)?(?: \{)?$/gm)) {
    const unit = [...units.values()].reverse().find((candidate) => candidate.label === label);
    if (unit) return excerpt(`${unit.label}:${line}`, unit.source.split("\n"), Number(line), Number(column));
  }
  return [];
}

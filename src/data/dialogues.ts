import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { DatasetError } from "./errors.js";
import type { Message, Role } from "./types.js";

/** A conversation as it stands in a file; keys besides `messages` are kept and ignored. */
export interface DialogueRow {
  messages: Message[];
  [key: string]: unknown;
}

/** Where a row was read, for errors that are found later (a template that refuses it). Rows made in code have no entry. */
const origins = new WeakMap<object, string>();

const ROLES: readonly Role[] = ["system", "user", "assistant", "model"];

/**
 * Reads dialogues from a JSONL file (one row a line, blank lines allowed) or a JSON file (one array of rows); the first
 * character tells which. UTF-8, with or without a byte order mark.
 *
 * @throws DatasetError naming file:line when the file is missing, empty, not UTF-8, not JSON, or holds a row that
 * `checkDialogue` refuses.
 */
export function readDialogues(path: string): DialogueRow[] {
  const text = readUtf8(path);
  const rows = text.trimStart().startsWith("[") ? parseArray(text, path) : parseLines(text, path);
  if (rows.length === 0) throw new DatasetError(`${path}: no dialogues in this file`, path);
  return rows.map(({ value, line }) => {
    const fault = dialogueFault(value);
    if (fault) throw new DatasetError(`${path}:${line}: ${fault}`, path, line);
    origins.set(value as DialogueRow, `${path}:${line}`);
    return value as DialogueRow;
  });
}

/** "file:line" of a row that came from a file, else "row 12" (counted from 0). */
export function rowName(row: unknown, index: number): string {
  const origin = typeof row === "object" && row !== null ? origins.get(row) : undefined;
  return origin ?? `row ${index}`;
}

/** What is wrong with a row as a conversation, or undefined when nothing is. */
export function dialogueFault(row: unknown): string | undefined {
  if (!isRecord(row)) return `a row must be an object with "messages", got ${describe(row)}`;
  if (!("messages" in row)) {
    const keys = Object.keys(row).map((key) => JSON.stringify(key));
    return `the row has no "messages" (its keys: ${keys.join(", ") || "none"})`;
  }
  const { messages } = row;
  if (!Array.isArray(messages)) return `"messages" must be a list, got ${describe(messages)}`;
  if (messages.length === 0) return `"messages" is empty: a dialogue needs at least one message`;
  for (const [index, message] of messages.entries()) {
    const where = `messages[${index}]`;
    if (!isRecord(message)) return `${where} must be an object with "role" and "content", got ${describe(message)}`;
    if (!ROLES.includes(message.role as Role)) {
      return `${where} has the unknown role ${describe(message.role)}: use ${ROLES.map((r) => `"${r}"`).join(", ")}`;
    }
    if (typeof message.content !== "string")
      return `${where}.content must be a string, got ${describe(message.content)}`;
    if (message.content.trim() === "") return `${where}.content is empty`;
  }
  return undefined;
}

interface Located {
  value: unknown;
  /** 1-based. */
  line: number;
}

function readUtf8(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") {
      throw new DatasetError(
        `${path}: no such file (looked for ${resolve(path)}); check the path of the dialogues`,
        path,
      );
    }
    if (code === "EISDIR") throw new DatasetError(`${path}: is a folder; name the .jsonl or .json file in it`, path);
    throw new DatasetError(`${path}: cannot be read (${(error as Error).message})`, path);
  }
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    const line = firstBadLine(bytes);
    throw new DatasetError(
      `${path}:${line}: not UTF-8 text (Shift_JIS, perhaps?); convert it, for example with iconv -f CP932 -t UTF-8`,
      path,
      line,
    );
  }
}

function firstBadLine(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; ; line++) {
    const end = bytes.indexOf(0x0a, start);
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(start, end < 0 ? undefined : end));
    } catch {
      return line;
    }
    if (end < 0) return line;
    start = end + 1;
  }
}

function parseLines(text: string, path: string): Located[] {
  const rows: Located[] = [];
  for (const [index, source] of text.split("\n").entries()) {
    if (source.trim() === "") continue;
    try {
      rows.push({ value: JSON.parse(source), line: index + 1 });
    } catch (error) {
      throw new DatasetError(
        `${path}:${index + 1}: not valid JSON (${(error as Error).message}); a .jsonl file holds one whole object a line`,
        path,
        index + 1,
      );
    }
  }
  return rows;
}

function parseArray(text: string, path: string): Located[] {
  let values: unknown[];
  try {
    values = JSON.parse(text) as unknown[];
  } catch (error) {
    const message = (error as Error).message;
    const position = /position (\d+)/.exec(message)?.[1];
    // V8 names no position when the text ends too early.
    const line = lineAt(text, position === undefined ? text.trimEnd().length : Number(position));
    throw new DatasetError(`${path}:${line}: not valid JSON (${message})`, path, line);
  }
  const lines = elementLines(text);
  return values.map((value, index) => ({ value, line: lines[index] ?? 1 }));
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split("\n").length;
}

/** The line on which each element of a (valid) top-level JSON array starts. */
function elementLines(text: string): number[] {
  const lines: number[] = [];
  let line = 1;
  let depth = 0;
  let inString = false;
  let expectElement = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === "\n") line++;
    if (inString) {
      if (char === "\\") i++;
      else if (char === '"') inString = false;
      continue;
    }
    if (/\s/.test(char)) continue;
    if (expectElement && char !== "]") {
      lines.push(line);
      expectElement = false;
    }
    if (char === '"') inString = true;
    else if (char === "[" || char === "{") expectElement = ++depth === 1;
    else if (char === "]" || char === "}") depth--;
    else if (char === "," && depth === 1) expectElement = true;
  }
  return lines;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in a message: short, and never the reader's whole dialogue. */
function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

import { inspect } from "node:util";
import type { CellError } from "../messages.js";
import { CellSyntaxError } from "./compile.js";

interface Source {
  label: string;
  lines: string[];
}

const sources = new Map<string, Source>();

/** A name for the cell's code, under which the engine's stack traces show it. */
export function registerSource(cell: string, label: string, code: string): string {
  const file = `kaisetsu-cell-${cell}`;
  sources.set(file, { label, lines: code.split("\n") });
  return file;
}

/** An error in terms of cells and their lines; frames elsewhere are left out. */
export function describeError(error: unknown, cell: string): CellError {
  if (error instanceof CellSyntaxError) {
    const { lines } = sources.get(`kaisetsu-cell-${cell}`)!;
    const { message, line } = error;
    return { name: error.name, message, line, traceback: line ? excerpt(lines, line) : "" };
  }
  if (!(error instanceof Error)) return { name: "Error", message: inspect(error), traceback: "" };
  const frames = [...(error.stack ?? "").matchAll(/^.*?\bkaisetsu-cell-([^\s:)]*):(\d+):\d+/gm)].flatMap((match) => {
    const source = sources.get(`kaisetsu-cell-${match[1]}`);
    // The compiler puts one line in front.
    return source ? [{ cell: match[1]!, source, line: Number(match[2]) - 1 }] : [];
  });
  const shown = frames.slice(0, 6).map(({ source, line }, i) => {
    const place = `${source.label}:${line}`;
    return i === 0 ? `${place}\n${excerpt(source.lines, line)}` : place;
  });
  const line = frames.find((frame) => frame.cell === cell)?.line;
  const cause = error.cause instanceof Error ? `\n[cause] ${error.cause.name}: ${error.cause.message}` : "";
  return { name: error.name, message: error.message, line, traceback: shown.join("\n") + cause };
}

/** The line and its neighbours. */
function excerpt(lines: string[], line: number): string {
  const width = String(line + 1).length;
  return lines
    .slice(Math.max(0, line - 2), line + 1)
    .map((text, i) => {
      const number = Math.max(1, line - 1) + i;
      return `${number === line ? "> " : "  "}${String(number).padStart(width)} | ${text}`;
    })
    .join("\n");
}

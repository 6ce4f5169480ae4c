import { parseCell, syntaxErrors } from "./parse.js";

export type Completeness = { status: "complete" | "invalid" | "unknown" } | { status: "incomplete"; indent: string };

/** Whether a console may run what was typed, or should offer another line. */
export function isComplete(code: string): Completeness {
  if (typeof code !== "string") return { status: "unknown" };
  // Two empty lines at the end: whoever typed them wants it run, whatever it is.
  const errors = syntaxErrors(parseCell(code));
  if (/\n[ \t]*\n[ \t]*\n[ \t]*$/.test(code)) return { status: errors.length > 0 ? "unknown" : "complete" };
  if (errors.length === 0)
    return opensBlock(code) ? { status: "incomplete", indent: nextIndent(code) } : { status: "complete" };
  const end = code.trimEnd().length;
  const first = errors[0]!;
  const atEnd = first.start !== undefined && first.start >= end;
  // An unterminated comment, template or string of many lines is reported where it begins or at its end.
  const unterminated = first.code === 1010 || first.code === 1160;
  return atEnd || unterminated ? { status: "incomplete", indent: nextIndent(code) } : { status: "invalid" };
}

/** `x.` parses, with a missing name; `a =>` too. */
function opensBlock(code: string): boolean {
  return /(=>|[=+*/%&|?:,.<({[]|\bextends|\bimplements)\s*$/.test(code) && !/(\+\+|--|\*\/)\s*$/.test(code);
}

/** The indent of the last line, and two more after an opening bracket. */
function nextIndent(code: string): string {
  const last = code.trimEnd().split("\n").at(-1) ?? "";
  const own = /^[ \t]*/.exec(last)![0];
  return /[({[]$|=>$/.test(last) ? `${own}  ` : own;
}

import type { CellDiagnostic } from "../compiler/diagnostics.js";
import type { CellError } from "../messages.js";
import { excerpt } from "../traceback.js";

/** What the compiler found, as the error of the cell. */
export function diagnosticsError(diagnostics: CellDiagnostic[], label: string): { status: "error" } & CellError {
  const first = diagnostics[0]!;
  const more = diagnostics.length > 1 ? ` (and ${diagnostics.length - 1} more)` : "";
  return {
    status: "error",
    ename: first.kind === "syntax" ? "SyntaxError" : "TypeScriptError",
    evalue: `${place(first, label)} - ${first.message}${more}`,
    traceback: diagnosticsText(diagnostics, label),
  };
}

/** Lines with place, message and the line of code, as `tsc --pretty` shows them. */
export function diagnosticsText(diagnostics: CellDiagnostic[], label: string): string[] {
  return diagnostics.flatMap((found, i) => [
    ...(i > 0 ? [""] : []),
    `\u001b[36m${place(found, label)}\u001b[39m - \u001b[31merror\u001b[39m TS${found.code}: ${found.message}`,
    ...excerpt(undefined, [found.source], found.line, found.column, found.length, found.line),
  ]);
}

function place({ line, column, file }: CellDiagnostic, label: string): string {
  return `${file ?? label}:${line}:${column}`;
}

import ts = require("typescript");

export interface CellDiagnostic {
  kind: "syntax" | "type";
  code: number;
  message: string;
  /** From 1, in the cell; in `file` when that is set. */
  line: number;
  column: number;
  length: number;
  /** The line's text. */
  source: string;
  /** A module of the user's that the cell imports. */
  file?: string;
}

/** Top-level `await` is fine in a cell whatever the settings say. */
const ignored = new Set([1375, 1378, 1431, 1432, 1202]);

export function describe(
  program: ts.Program,
  file: ts.SourceFile,
  cell: { code: string; start: number; types: boolean },
): CellDiagnostic[] {
  const syntax = program.getSyntacticDiagnostics(file).map((found) => ({ kind: "syntax" as const, found }));
  const types =
    cell.types && syntax.length === 0
      ? program.getSemanticDiagnostics(file).map((found) => ({ kind: "type" as const, found }))
      : [];
  const lines = cell.code.split("\n");
  const firstLine = file.getLineAndCharacterOfPosition(cell.start).line;
  return [...syntax, ...types]
    .filter(({ found }) => found.category === ts.DiagnosticCategory.Error && !ignored.has(found.code))
    .filter(({ found }) => found.start !== undefined && found.start >= cell.start)
    .map(({ kind, found }) => {
      // An unclosed brace is noticed after the cell's last line, in what the kernel adds there.
      const start = Math.min(found.start!, cell.start + cell.code.length);
      const { line, character } = file.getLineAndCharacterOfPosition(start);
      return {
        kind,
        code: found.code,
        message: ts.flattenDiagnosticMessageText(found.messageText, "\n"),
        line: line - firstLine + 1,
        column: character + 1,
        length: found.length ?? 1,
        source: lines[line - firstLine] ?? "",
      };
    });
}

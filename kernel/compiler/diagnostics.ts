import { relative } from "node:path";

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

/** Type errors in the user's own modules that the cell imports, directly or through others. */
export function describeModules(program: ts.Program, cell: ts.SourceFile, start: number): CellDiagnostic[] {
  const modules = [...localModules(program, cell, start)];
  if (modules.every((module) => clean.has(module))) return [];
  const found = modules.flatMap((module) => [
    ...program.getSyntacticDiagnostics(module),
    ...program.getSemanticDiagnostics(module),
  ]);
  const errors = found.filter(
    ({ category, code }) => category === ts.DiagnosticCategory.Error && !ignored.has(code),
  ) as ts.DiagnosticWithLocation[];
  if (errors.length === 0) for (const module of modules) clean.add(module);
  return errors.slice(0, MAX_ERRORS).map(({ file, start, length, code, messageText }) => {
    const { line, character } = file.getLineAndCharacterOfPosition(start);
    return {
      kind: "type",
      code,
      message: ts.flattenDiagnosticMessageText(messageText, "\n"),
      line: line + 1,
      column: character + 1,
      length,
      source: file.text.split("\n")[line] ?? "",
      file: relative(program.getCurrentDirectory(), file.fileName),
    };
  });
}

/** More would hide the first ones. */
const MAX_ERRORS = 10;

/** Modules in which nothing was wrong. A module that changed, or one that it imports, is another object. */
const clean = new WeakSet<ts.SourceFile>();

function localModules(program: ts.Program, cell: ts.SourceFile, start: number): Set<ts.SourceFile> {
  const checker = program.getTypeChecker();
  const found = new Set<ts.SourceFile>();
  const visit = (file: ts.SourceFile, from: number): void => {
    for (const statement of file.statements) {
      if (!(ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement))) continue;
      if (statement.getStart(file) < from || !statement.moduleSpecifier) continue;
      const target = checker.getSymbolAtLocation(statement.moduleSpecifier)?.declarations?.[0];
      if (!target || !ts.isSourceFile(target) || found.has(target)) continue;
      if (target.isDeclarationFile || program.isSourceFileFromExternalLibrary(target)) continue;
      if (/[\\/]node_modules[\\/]/.test(target.fileName) || !/\.[cm]?tsx?$/.test(target.fileName)) continue;
      found.add(target);
      visit(target, 0);
    }
  };
  visit(cell, start);
  return found;
}

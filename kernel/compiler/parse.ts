import ts = require("typescript");

/**
 * A cell is TypeScript, in which `<T>x` is a cast, unless only TSX makes sense of it. The two cannot be told apart by
 * a file name as elsewhere.
 */
export function parseCell(code: string): ts.SourceFile {
  const plain = parse(code, ts.ScriptKind.TS);
  if (syntaxErrors(plain).length === 0 || !/<[\p{ID_Start}>]/u.test(code)) return plain;
  const jsx = parse(code, ts.ScriptKind.TSX);
  return syntaxErrors(jsx).length === 0 ? jsx : plain;
}

export function isTsx(file: ts.SourceFile): boolean {
  return file.languageVariant === ts.LanguageVariant.JSX;
}

/** Not in the public interface; the public ways need a program. */
export function syntaxErrors(file: ts.SourceFile): readonly ts.Diagnostic[] {
  return (file as unknown as { parseDiagnostics: readonly ts.Diagnostic[] }).parseDiagnostics;
}

function parse(code: string, kind: ts.ScriptKind): ts.SourceFile {
  return ts.createSourceFile("cell.ts", code, ts.ScriptTarget.Latest, true, kind);
}

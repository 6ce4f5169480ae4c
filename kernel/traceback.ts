const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
const dim = (text: string) => `\u001b[2m${text}\u001b[22m`;

/**
 * The lines around a position, with a caret under the column. `lines` begin at line number `first`; `title` is
 * written above.
 */
export function excerpt(
  title: string | undefined,
  lines: string[],
  line: number,
  column: number,
  length = 1,
  first = 1,
): string[] {
  const last = first + lines.length - 1;
  if (line < first || line > last) return [];
  const from = Math.max(first, line - 2);
  const to = Math.min(last, line + 1);
  const width = String(to).length;
  const shown = title === undefined ? [] : ["", dim(title)];
  for (let number = from; number <= to; number++) {
    const text = lines[number - first]!;
    shown.push(`${number === line ? red(">") : " "} ${dim(`${String(number).padStart(width)} |`)} ${text}`);
    if (number !== line) continue;
    // Tabs are kept so that the caret stands under the column.
    const indent = text.slice(0, column - 1).replace(/[^\t]/g, " ");
    const marked = Math.max(1, Math.min(length, text.length - column + 1));
    shown.push(`  ${dim(`${" ".repeat(width)} |`)} ${indent}${red("^".repeat(marked))}`);
  }
  return shown;
}

/** Says in the notebook itself that its run stopped, and where: at the top, and before the cell that failed. */
import { type CodeCell, ensureTags, type MarkdownCell, type Notebook, tagsOf } from "../nbformat.js";

export const failureTag = "kaisetsu-failure";
const anchor = "kaisetsu-failed-cell";

/** Takes back what `markFailure` put in, in this run or an earlier one. */
export function clearFailure(notebook: Notebook): void {
  notebook.cells = notebook.cells.filter((cell) => !tagsOf(cell).includes(failureTag));
}

export function markFailure(notebook: Notebook, cell: CodeCell, error: { ename: string; evalue: string }): void {
  clearFailure(notebook);
  const what = inlineCode(`${error.ename}: ${error.evalue}`);
  const top = marker(
    `${anchor}-notice`,
    `**⚠ この実行は途中で止まりました。** 止まったセルは[こちら](#${anchor})です。<br>\n*This run stopped:* ${what} — [go to the cell](#${anchor})`,
  );
  const before = marker(
    anchor,
    `<a id="${anchor}"></a>\n\n**⚠ 次のセルで止まりました。** *Execution stopped in the next cell.*`,
  );
  notebook.cells.splice(notebook.cells.indexOf(cell), 0, before);
  notebook.cells.unshift(top);
}

function marker(id: string, source: string): MarkdownCell {
  const cell: MarkdownCell = { cell_type: "markdown", id, metadata: {}, source };
  ensureTags(cell, [failureTag]);
  return cell;
}

/** One line of Markdown code, whatever the message holds. */
function inlineCode(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const short = line.length > 200 ? `${line.slice(0, 199)}…` : line;
  return `\`\` ${short.replace(/``+/g, "`")} \`\``;
}

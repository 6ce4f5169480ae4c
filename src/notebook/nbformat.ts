/** The notebook file format, version 4, as its documentation describes it; only the members that we use are named. */

/** In a file a text may be one string or an array of lines; in memory it is always one string. */
export interface Notebook {
  nbformat: 4;
  nbformat_minor: number;
  metadata: NotebookMetadata;
  cells: Cell[];
}

export interface NotebookMetadata {
  kernelspec?: { name: string; display_name: string; language?: string; [key: string]: unknown };
  language_info?: { name: string; file_extension?: string; mimetype?: string; [key: string]: unknown };
  title?: string;
  [key: string]: unknown;
}

export interface CellMetadata {
  tags?: string[];
  [key: string]: unknown;
}

interface BaseCell {
  /** Required from 4.5 on, forbidden before. */
  id?: string;
  metadata: CellMetadata;
  source: string;
}

export interface MarkdownCell extends BaseCell {
  cell_type: "markdown";
  /** File name to MIME bundle; Markdown refers to one as `attachment:name`. */
  attachments?: Record<string, Record<string, unknown>>;
}

export interface RawCell extends BaseCell {
  cell_type: "raw";
  attachments?: Record<string, Record<string, unknown>>;
}

export interface CodeCell extends BaseCell {
  cell_type: "code";
  execution_count: number | null;
  outputs: Output[];
}

export type Cell = MarkdownCell | RawCell | CodeCell;

export interface StreamOutput {
  output_type: "stream";
  name: string;
  text: string;
}

export interface DisplayOutput {
  output_type: "display_data";
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
}

export interface ResultOutput {
  output_type: "execute_result";
  execution_count: number | null;
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
}

export interface ErrorOutput {
  output_type: "error";
  ename: string;
  evalue: string;
  traceback: string[];
}

export type Output = StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;

export function isCode(cell: Cell): cell is CodeCell {
  return cell.cell_type === "code";
}

export function isMarkdown(cell: Cell): cell is MarkdownCell {
  return cell.cell_type === "markdown";
}

export function tagsOf(cell: Cell): string[] {
  const { tags } = cell.metadata;
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
}

export function ensureTags(cell: Cell, tags: readonly string[]): void {
  cell.metadata.tags = [...new Set([...tagsOf(cell), ...tags])];
}

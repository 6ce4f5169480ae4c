/** Turns what a kernel broadcasts into the outputs of notebook cells, as a notebook front end would. */
import type { CodeCell, DisplayOutput, Output, ResultOutput, StreamOutput } from "../nbformat.js";

/** The part of a Jupyter message that matters here. */
export interface IopubMessage {
  header: { msg_type: string; date?: string };
  parent_header: { msg_id?: string };
  content: Record<string, unknown>;
}

export interface OutputEvent {
  cell: CodeCell;
  /** Absent when a cell's output was cleared. */
  output?: Output;
  /** New text of a stream, before carriage returns are resolved. */
  text?: string;
  /** The output existed and was replaced in place. */
  update?: boolean;
}

export interface OutputRecorder {
  /** From now on messages that answer `msgId` belong to the cell. Its old outputs go. */
  start(msgId: string, cell: CodeCell): void;
  record(message: IopubMessage): void;
}

/** A cell that prints for ever must not fill the memory: this much of one stream output is kept. */
export const maxStreamLength = 10_000_000;

/** @param onOutput called after every change, with the cell that changed (for an update: where the output stands) */
export function outputRecorder(onOutput: (event: OutputEvent) => void = () => {}): OutputRecorder {
  const cells = new Map<string, CodeCell>();
  const shown = new Map<string, { cell: CodeCell; output: DisplayOutput | ResultOutput }[]>();
  const clearNext = new Set<CodeCell>();

  const add = (cell: CodeCell, output: Output) => {
    if (clearNext.delete(cell)) cell.outputs = [];
    cell.outputs.push(output);
    onOutput({ cell, output });
  };

  const handlers: Record<string, (cell: CodeCell, content: Record<string, unknown>) => void> = {
    execute_input(cell, { execution_count }) {
      cell.execution_count = count(execution_count);
    },
    stream(cell, content) {
      const name = String(content.name);
      const text = String(content.text);
      if (clearNext.delete(cell)) cell.outputs = [];
      let output = cell.outputs.at(-1);
      if (output?.output_type !== "stream" || output.name !== name) {
        output = { output_type: "stream", name, text: "" };
        cell.outputs.push(output);
      }
      appendToStream(output, text);
      onOutput({ cell, output, text });
    },
    display_data(cell, content) {
      const output: DisplayOutput = {
        output_type: "display_data",
        data: record(content.data),
        metadata: record(content.metadata),
      };
      remember(cell, output, content);
      add(cell, output);
    },
    execute_result(cell, content) {
      const output: ResultOutput = {
        output_type: "execute_result",
        execution_count: count(content.execution_count),
        data: record(content.data),
        metadata: record(content.metadata),
      };
      remember(cell, output, content);
      add(cell, output);
    },
    update_display_data(_cell, content) {
      for (const { cell, output } of shown.get(displayId(content) ?? "") ?? []) {
        output.data = record(content.data);
        output.metadata = record(content.metadata);
        onOutput({ cell, output, update: true });
      }
    },
    error(cell, content) {
      const traceback = Array.isArray(content.traceback) ? content.traceback.map(String) : [];
      add(cell, { output_type: "error", ename: String(content.ename), evalue: String(content.evalue), traceback });
    },
    clear_output(cell, { wait }) {
      if (wait) {
        clearNext.add(cell);
        return;
      }
      cell.outputs = [];
      onOutput({ cell });
    },
  };

  function remember(cell: CodeCell, output: DisplayOutput | ResultOutput, content: Record<string, unknown>): void {
    const id = displayId(content);
    if (id === undefined) return;
    const places = shown.get(id) ?? [];
    places.push({ cell, output });
    shown.set(id, places);
  }

  return {
    start(msgId, cell) {
      cells.set(msgId, cell);
      cell.outputs = [];
      cell.execution_count = null;
    },
    record({ header, parent_header, content }) {
      const cell = cells.get(parent_header.msg_id ?? "");
      if (cell) handlers[header.msg_type]?.(cell, content);
    },
  };
}

/** Resolves `\r` and `\b` as a terminal would, or a progress bar would leave a thousand lines in the file. */
function appendToStream(output: StreamOutput, text: string): void {
  if (output.text.length + text.length > maxStreamLength) {
    const notice = `\n… output longer than ${maxStreamLength} characters is not kept\n`;
    if (!output.text.endsWith(notice)) output.text += notice;
    return;
  }
  const lineStart = output.text.lastIndexOf("\n") + 1;
  let tail = output.text.slice(lineStart) + text;
  if (/[\r\b]/.test(tail)) {
    tail = tail.replace(/\r+\n/g, "\n");
    for (let before = ""; before !== tail; ) {
      before = tail;
      tail = tail.replace(/[^\n\b]\x08/g, "");
    }
    // A return at the very end stays: it says that the next text starts the line anew.
    tail = tail.replace(/[^\n]*\r(?=[^\n])/g, "");
  }
  output.text = output.text.slice(0, lineStart) + tail;
}

function displayId(content: Record<string, unknown>): string | undefined {
  const id = record(content.transient).display_id;
  return typeof id === "string" ? id : undefined;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function count(value: unknown): number | null {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : null;
}

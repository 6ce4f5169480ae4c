/**
 * The notebook that code runs in, as far as a library needs it: showing things and asking the person in front of it.
 *
 * Our kernel puts an object of this type at `globalThis[Symbol.for("kaisetsu.host")]` before the first cell runs;
 * `notebook/display.ts` falls back to stock tslab's `display`, and to text on a plain terminal.
 */
export interface NotebookHost {
  /** `display_data`, or `update_display_data` when `update` is true. */
  display(
    data: Record<string, unknown>,
    options?: { metadata?: Record<string, unknown>; display_id?: string; update?: boolean },
  ): void;
  clearOutput(wait?: boolean): void;
  /** False in a batch run (`allow_stdin: false`): then `ask` throws at once. */
  canAsk(): boolean;
  /** Blocks until answered, like a browser's prompt(). */
  ask(prompt: string, options?: { password?: boolean }): string;
  /**
   * Long work registers here how it ends in good order. The first interrupt of a cell then only calls `handler` (between two
   * instructions of whatever runs: set a flag, no more), and the cell goes on until it ends by itself; the second calls
   * it again and cuts the cell off. Returns how to take the handler away.
   */
  onInterrupt?(handler: () => void): () => void;
}

const key = Symbol.for("kaisetsu.host");

export function notebookHost(): NotebookHost | undefined {
  return (globalThis as Record<symbol, unknown>)[key] as NotebookHost | undefined;
}

export function setNotebookHost(host: NotebookHost | undefined): void {
  (globalThis as Record<symbol, unknown>)[key] = host;
}

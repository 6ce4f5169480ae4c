/** What the page and the worker that runs its cells say to each other, over one MessagePort. */

/** A MIME bundle, as in a notebook file. */
export type MimeBundle = Record<string, unknown>;

export type ToWorker =
  | { type: "start"; runtime: ArrayBuffer; files: ArrayBuffer | null }
  /** `anyway`: run although names are missing. */
  | { type: "run"; cell: string; label: string; code: string; anyway: boolean }
  | { type: "interrupt" }
  | { type: "answer"; question: number; value: string | boolean | null };

export type FromWorker =
  | { type: "ready" }
  | { type: "failed"; message: string }
  /** To an interrupt: the cell ends by itself, in good order. */
  | { type: "ending" }
  | { type: "stream"; cell: string; name: "stdout" | "stderr"; text: string }
  | { type: "display"; cell: string; data: MimeBundle; display_id?: string; update: boolean }
  | { type: "clear"; cell: string; wait: boolean }
  | { type: "ask"; question: number; kind: "prompt" | "confirm" | "alert"; message: string; initial: string }
  /** The cell was not run: it reads these names, which no cell has made yet. */
  | { type: "missing"; cell: string; names: string[] }
  | { type: "done"; cell: string; error?: CellError };

export interface CellError {
  name: string;
  message: string;
  /** Frames in cells, innermost first. */
  traceback: string;
  /** Line of this cell at which it failed, from 1. */
  line?: number;
}

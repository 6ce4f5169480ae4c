import type { MessagePort } from "node:worker_threads";
import type { TypeMode } from "./compiler/cell.js";
import type { ConnectionInfo } from "./connection.js";

/** What the three threads say to one another. */

export interface KernelOptions {
  connection: ConnectionInfo;
  cwd: string;
  types: TypeMode;
  /** Bytes that V8 allows for the values of the cells. */
  heapLimit: number;
}

export type MimeBundle = Record<string, unknown>;

export type CellError = {
  ename: string;
  evalue: string;
  traceback: string[];
};

/** A cell to run: `id` is unique in this kernel's life, `label` is how tracebacks call it. */
export interface RunCell {
  kind: "run";
  id: number;
  label: string;
  code: string;
  js: string;
  map: string;
  mapOffset: number;
  names: string[];
  /** Nothing that it shows or prints reaches the notebook. */
  silent: boolean;
  /** Whether the value of its last expression is wanted. */
  wantsResult: boolean;
  allowStdin: boolean;
}

/** protocol thread -> cells */
export type ToCells =
  | RunCell
  | { kind: "interrupted"; id: number }
  | {
      kind: "comm";
      id: number;
      msgType: string;
      content: Record<string, unknown>;
      metadata: unknown;
      buffers: Uint8Array[];
    }
  | { kind: "stdin"; value: string | undefined }
  | { kind: "exit"; code: number };

export type CellResult = { live: string[] } & (
  | { status: "ok"; data?: MimeBundle; metadata?: Record<string, unknown> }
  | ({ status: "error" } & CellError)
);

/** cells -> protocol thread. `id` names the cell that caused it, also long after that ended. */
export type FromCells =
  | { kind: "stream"; id: number; name: "stdout" | "stderr"; text: string }
  | {
      kind: "iopub";
      id: number;
      msgType: string;
      content: Record<string, unknown>;
      metadata?: Record<string, unknown>;
      buffers?: Uint8Array[];
    }
  | { kind: "done"; id: number; result: CellResult }
  | { kind: "input"; id: number; prompt: string; password: boolean; wait: boolean }
  | { kind: "comms"; comms: Record<string, { target_name: string }> }
  | { kind: "types"; mode: TypeMode }
  /** This thread got one; see protocol/signal.ts. */
  | { kind: "sigint" }
  /** A child starts whose output goes into the named pipes. */
  | { kind: "children"; id: number; stdout: string; stderr: string };

export interface InputAnswer {
  /** Undefined: interrupted. */
  value: string | undefined;
}

/** What the protocol thread starts with. */
export interface ProtocolSetup {
  options: KernelOptions;
  compiler: MessagePort;
  /** Answers to a blocking `input`. */
  input: MessagePort;
  /** See `Signal`. */
  signals: SharedArrayBuffer;
}

export interface CompilerSetup {
  options: KernelOptions;
  /** Requests of the protocol thread. */
  protocol: MessagePort;
  /** Requests of the cells' thread, which waits for the answer with `Atomics.wait`. */
  cells: MessagePort;
  signals: SharedArrayBuffer;
}

/** Words of the shared buffer. */
export const Signal = {
  /** Counts answers to `input`; the cells' thread sleeps on it. */
  input: 0,
  /** Counts answers of the compiler to the cells' thread. */
  compiled: 1,
  /** Output that the protocol thread has not taken yet; see `outputCost`. */
  backlog: 2,
  length: 3,
} as const;

/** Characters, and what a message costs however short it is. */
export function outputCost(text: string): number {
  return text.length + 100;
}

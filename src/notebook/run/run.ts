/** Runs a notebook's cells one after another in a kernel, with nobody at the keyboard. */
import { type CodeCell, type ErrorOutput, isCode, type Notebook, tagsOf } from "../nbformat.js";
import { type IopubMessage, type OutputEvent, outputRecorder } from "./recorder.js";

/** What the runner needs of a kernel; `kernel/launch.ts` gives it. */
export interface Kernel {
  client: {
    execute(code: string, options?: { metadata?: Record<string, unknown>; stop_on_error?: boolean }): Execution;
    interrupt(): Promise<void>;
    on(event: "iopub", listener: (message: IopubMessage) => void): unknown;
    off(event: "iopub", listener: (message: IopubMessage) => void): unknown;
  };
  exited: Promise<{ code: number | null; signal: string | null; outOfMemory: boolean; stderr: string }>;
}

interface Execution {
  readonly msg_id: string;
  readonly reply: Promise<{ header: { date: string }; content: Reply }>;
  [Symbol.asyncIterator](): AsyncIterator<unknown>;
}

interface Reply {
  status: string;
  execution_count: number | null;
  ename?: string;
  evalue?: string;
  traceback?: string[];
}

export interface RunOptions {
  /** Seconds a cell may take before it is interrupted. No limit by default. */
  timeout?: number;
  /**
   * Seconds that an interrupted cell has to end in good order, such as a training that finishes its step and saves.
   * Default 60. After that it is cut off; if it does not react to that either, the kernel is given up.
   */
  grace?: number;
  /** Index of the first cell to run. Default 0. */
  from?: number;
  /** Cells for which it says true are not run, and keep their outputs. */
  skip?(cell: CodeCell, index: number): boolean;
  /** Go on after a cell that failed. */
  allowErrors?: boolean;
  /** Ends the run: the running cell is interrupted. */
  signal?: AbortSignal;
  onCellStart?(cell: CodeCell, index: number): void;
  /** An interrupt was sent, and the cell has `grace` seconds. */
  onInterrupt?(why: "timeout" | "interrupted", grace: number): void;
  onCellEnd?(cell: CodeCell, index: number, outcome: CellOutcome): void;
  onOutput?(event: OutputEvent): void;
}

export type CellStatus = "ok" | "error" | "timeout" | "dead" | "out-of-memory" | "interrupted" | "skipped";

export interface CellOutcome {
  status: CellStatus;
  /** Seconds. */
  duration: number;
  error?: ErrorOutput;
}

export interface RunResult {
  /** Of the whole run: `ok`, or how the cell that stopped it ended. */
  status: CellStatus;
  executed: number;
  /** Cells that failed, those that were allowed to included. */
  failures: { index: number; cell: CodeCell; outcome: CellOutcome }[];
}

/** Seconds between cutting a cell off and giving its kernel up. */
const LAST_WAIT = 10;

/** Tags: cells with one of these are not run (the first is nbclient's). */
const skipTags = ["skip-execution", "skip"];

export function isSkipped(cell: CodeCell): boolean {
  return tagsOf(cell).some((tag) => skipTags.includes(tag));
}

/**
 * Outputs are written into the cells while they run; a caller that saves from time to time loses nothing.
 * A cell tagged `raises-exception` may fail. Never throws for what a cell or the kernel does.
 */
export async function runNotebook(notebook: Notebook, kernel: Kernel, options: RunOptions = {}): Promise<RunResult> {
  const recorder = outputRecorder(options.onOutput);
  const listener = (message: IopubMessage) => recorder.record(message);
  kernel.client.on("iopub", listener);
  const result: RunResult = { status: "ok", executed: 0, failures: [] };
  try {
    for (const [index, cell] of notebook.cells.entries()) {
      if (index < (options.from ?? 0) || !isCode(cell) || cell.source.trim() === "") continue;
      if (options.signal?.aborted) return { ...result, status: "interrupted" };
      if (isSkipped(cell) || options.skip?.(cell, index)) {
        options.onCellEnd?.(cell, index, { status: "skipped", duration: 0 });
        continue;
      }
      options.onCellStart?.(cell, index);
      const outcome = await runCell(cell, kernel, recorder.start, options);
      result.executed++;
      if (outcome.status !== "ok") result.failures.push({ index, cell, outcome });
      options.onCellEnd?.(cell, index, outcome);
      const survivable = outcome.status === "error" || outcome.status === "timeout";
      const allowed =
        survivable &&
        (options.allowErrors || (outcome.status === "error" && tagsOf(cell).includes("raises-exception")));
      if (outcome.status !== "ok" && !allowed) return { ...result, status: outcome.status };
    }
    return result;
  } finally {
    kernel.client.off("iopub", listener);
  }
}

async function runCell(
  cell: CodeCell,
  kernel: Kernel,
  start: (msgId: string, cell: CodeCell) => void,
  { timeout, grace = 60, signal, onInterrupt }: RunOptions,
): Promise<CellOutcome> {
  const began = performance.now();
  const duration = () => (performance.now() - began) / 1000;
  const execution = kernel.client.execute(cell.source, { metadata: cell.id === undefined ? {} : { cellId: cell.id } });
  start(execution.msg_id, cell);
  const timing = recordTiming(cell);

  let cutOff: "timeout" | "interrupted" | undefined;
  let giveUp: (() => void) | undefined;
  const gaveUp = new Promise<"dead">((resolve) => {
    giveUp = () => resolve("dead");
  });
  const timers: NodeJS.Timeout[] = [];
  const interrupt = (why: "timeout" | "interrupted") => {
    if (cutOff) return;
    cutOff = why;
    const send = () => kernel.client.interrupt().catch(() => {});
    send();
    // The first interrupt may only ask, the second cuts off; see NotebookHost.onInterrupt.
    timers.push(
      setTimeout(send, grace * 1000),
      setTimeout(() => giveUp?.(), (grace + LAST_WAIT) * 1000),
    );
    onInterrupt?.(why, grace);
  };
  const onAbort = () => interrupt("interrupted");
  if (timeout !== undefined) timers.push(setTimeout(() => interrupt("timeout"), timeout * 1000));
  signal?.addEventListener("abort", onAbort, { once: true });

  try {
    const reply = await Promise.race([finish(execution, timing), gaveUp]);
    if (reply === "dead")
      return fail(cell, cutOff ?? "dead", duration(), cutOffError(cutOff, timeout, grace + LAST_WAIT));
    cell.execution_count = reply.execution_count ?? cell.execution_count;
    if (cutOff) return fail(cell, cutOff, duration(), cutOffError(cutOff, timeout));
    if (reply.status === "ok") return { status: "ok", duration: duration() };
    return fail(
      cell,
      reply.ename === "ERR_WORKER_OUT_OF_MEMORY" ? "out-of-memory" : "error",
      duration(),
      replyError(reply),
    );
  } catch (error) {
    const exit = await Promise.race([kernel.exited, new Promise<undefined>((resolve) => setTimeout(resolve, 2000))]);
    const status = exit?.outOfMemory ? "out-of-memory" : "dead";
    return fail(cell, status, duration(), {
      ename: "DeadKernelError",
      evalue: (error as Error).message,
      traceback: [],
    });
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** All outputs come before `idle`, which ends the iteration. */
async function finish(execution: Execution, timing: (event: string, date?: string) => void): Promise<Reply> {
  const iterator = execution[Symbol.asyncIterator]();
  const listen = (async () => {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      const { header, content } = next.value as IopubMessage;
      if (header.msg_type === "status") timing(`iopub.status.${content.execution_state}`, header.date);
      else if (header.msg_type === "execute_input") timing("iopub.execute_input", header.date);
    }
  })();
  listen.catch(() => {});
  const { header, content } = await execution.reply;
  timing("shell.execute_reply", header.date);
  await listen;
  return content;
}

/** The same members that nbclient and JupyterLab write; the next run estimates its time from them. */
function recordTiming(cell: CodeCell): (event: string, date?: string) => void {
  const execution: Record<string, string> = {};
  cell.metadata.execution = execution;
  return (event, date) => {
    if (date !== undefined) execution[event] = date;
  };
}

type ErrorContent = Omit<ErrorOutput, "output_type">;

/** The kernel's own `error` output is kept; one is made where it could not send any. */
function fail(cell: CodeCell, status: CellStatus, duration: number, error: ErrorContent): CellOutcome {
  const sent = cell.outputs.findLast((output) => output.output_type === "error");
  if (sent && status === "error") return { status, duration, error: sent };
  const output: ErrorOutput = { output_type: "error", ...error };
  if (output.traceback.length === 0) output.traceback = [`${output.ename}: ${output.evalue}`];
  cell.outputs.push(output);
  return { status, duration, error: output };
}

function replyError({ status, ename, evalue, traceback }: Reply): ErrorContent {
  return {
    ename: ename ?? "Error",
    evalue: evalue ?? `the kernel answered "${status}" without saying why`,
    traceback: traceback ?? [],
  };
}

function cutOffError(why: "timeout" | "interrupted" | undefined, timeout?: number, grace?: number): ErrorContent {
  const deaf = grace === undefined ? "" : `; it did not react within ${grace} s, so the kernel was ended`;
  if (why === "timeout") {
    return { ename: "CellTimeoutError", evalue: `the cell took longer than ${timeout} s${deaf}`, traceback: [] };
  }
  return { ename: "KeyboardInterrupt", evalue: `the run was stopped${deaf}`, traceback: [] };
}

import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { launchKernel, type RunningKernel } from "../../kernel/launch.js";
import { ensureCellIds, NotebookFormatError, readNotebook, writeNotebook } from "../notebook/document.js";
import { bundleToText } from "../notebook/mime.js";
import { type CodeCell, isCode, type Notebook } from "../notebook/nbformat.js";
import { recordedDuration } from "../notebook/run/estimate.js";
import { injectParameters, ParameterError, parseAssignment } from "../notebook/run/parameters.js";
import type { OutputEvent } from "../notebook/run/recorder.js";
import { terminalReporter } from "../notebook/run/reporter.js";
import { type CellStatus, type RunResult, runNotebook } from "../notebook/run/run.js";

export interface RunFileOptions {
  output?: string;
  html?: string;
  /** `NAME=VALUE` each. */
  parameters?: string[];
  timeout?: number;
  allowErrors?: boolean;
  quiet?: boolean;
  logOutput?: string;
}

const exitCodes: Record<CellStatus, number> = {
  ok: 0,
  skipped: 0,
  error: 1,
  timeout: 124,
  interrupted: 130,
  "out-of-memory": 137,
  dead: 138,
};

const autosaveSeconds = 30;

/** Runs the notebook file and resolves with the exit code. Everything it has to say goes to stderr. */
export async function runFile(file: string, options: RunFileOptions): Promise<number> {
  const input = resolve(file);
  const output = resolve(options.output ?? file);
  let notebook: Notebook;
  try {
    notebook = readNotebook(input);
    const parameters = Object.fromEntries((options.parameters ?? []).map(parseAssignment));
    for (const warning of await injectParameters(notebook, parameters)) say(`warning: ${warning}`);
  } catch (error) {
    if (!(error instanceof NotebookFormatError || error instanceof ParameterError)) throw error;
    say(error.message);
    return 2;
  }
  ensureCellIds(notebook);
  const expected = earlierDurations(notebook, output);
  clearOutputs(notebook);

  const oomBefore = oomKills();
  const stopper = stopOnSignals();
  let kernel: RunningKernel;
  try {
    kernel = await launchKernel({ cwd: dirname(input), env: { ...process.env, KAISETSU_BATCH: "1" } });
  } catch (error) {
    stopper.done();
    say(`the kernel did not start: ${(error as Error).message}`);
    return exitCodes.dead;
  }

  const reporter = terminalReporter(notebook, { quiet: options.quiet, expected });
  const saver = notebookSaver(output, notebook);
  const log = options.logOutput === undefined ? undefined : jsonLog(options.logOutput);
  let result: RunResult;
  try {
    saver.now();
    result = await runNotebook(notebook, kernel, {
      timeout: options.timeout,
      allowErrors: options.allowErrors,
      signal: stopper.signal,
      onCellStart: reporter.cellStart,
      onCellEnd: (cell, index, outcome) => {
        reporter.cellEnd(cell, index, outcome);
        saver.now();
      },
      onOutput: (event) => {
        saver.changed();
        reporter.output(event);
        log?.(event);
      },
    });
  } finally {
    reporter.close();
    saver.stop();
    await kernel.stop(stopper.signal.aborted ? 1000 : 5000);
    stopper.done();
  }
  if (result.status === "dead" && oomKills() > oomBefore) result.status = "out-of-memory";
  saver.now();
  await finish(notebook, result, output, options);
  return result.status === "interrupted" ? stopper.exitCode() : exitCodes[result.status];
}

async function finish(notebook: Notebook, result: RunResult, output: string, options: RunFileOptions): Promise<void> {
  const allowed = result.status === "ok" ? result.failures.length : result.failures.length - 1;
  if (allowed > 0) say(`${allowed} cell(s) failed and were allowed to`);
  if (result.status === "out-of-memory") say("the kernel ran out of memory");
  if (result.status === "dead") say("the kernel died");
  if (result.status === "timeout") say(`a cell took longer than --timeout ${options.timeout}`);
  say(`${result.status === "ok" ? "done" : "stopped"}; the notebook with its outputs is in ${output}`);
  if (options.html === undefined) return;
  const html = resolve(options.html);
  const { exportFile } = await import("./export-file.js");
  await exportFile(notebook, html, { name: basename(output), folder: dirname(output) });
  say(`the page is in ${html}`);
}

function say(message: string): void {
  console.error(`kaisetsu: ${message}`);
}

function clearOutputs(notebook: Notebook): void {
  for (const cell of notebook.cells) {
    if (!isCode(cell)) continue;
    cell.outputs = [];
    cell.execution_count = null;
    delete cell.metadata.execution;
  }
}

/** From the times noted in the notebook, or else in what an earlier run left at the output's place. */
function earlierDurations(notebook: Notebook, output: string): (cell: CodeCell) => number | undefined {
  const times = new Map<string, number>();
  const note = ({ cells }: Notebook) => {
    for (const cell of cells) {
      const seconds = isCode(cell) ? recordedDuration(cell) : undefined;
      if (seconds !== undefined && cell.id !== undefined) times.set(cell.id, seconds);
    }
  };
  try {
    if (existsSync(output)) note(readNotebook(output));
  } catch {
    // Only an estimate depends on it, and the file will be replaced.
  }
  note(notebook);
  return (cell) => times.get(cell.id ?? "");
}

/** Saves at once, or from time to time while something changes; less often when saving itself is slow. */
function notebookSaver(path: string, notebook: Notebook) {
  let dirty = false;
  let nextSave = 0;
  const now = () => {
    const began = performance.now();
    writeNotebook(path, notebook);
    dirty = false;
    const cost = performance.now() - began;
    nextSave = performance.now() + Math.max(autosaveSeconds * 1000, cost * 4);
  };
  const timer = setInterval(() => {
    if (dirty && performance.now() >= nextSave) now();
  }, 1000).unref();
  return {
    now,
    changed: () => {
      dirty = true;
    },
    stop: () => clearInterval(timer),
  };
}

/** The first signal interrupts the cell and ends the run in order; the second ends this process. */
function stopOnSignals() {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  const listener = (signal: NodeJS.Signals) => {
    if (received) process.exit(signal === "SIGTERM" ? 143 : 130);
    received = signal;
    say(`${signal}: interrupting the cell and saving; once more to leave at once`);
    controller.abort();
  };
  process.on("SIGINT", listener).on("SIGTERM", listener);
  return {
    signal: controller.signal,
    exitCode: () => (received === "SIGTERM" ? 143 : 130),
    done: () => void process.off("SIGINT", listener).off("SIGTERM", listener),
  };
}

/** One line for each piece of output, in the form of Kaggle's logs. */
function jsonLog(path: string) {
  writeFileSync(path, "");
  const began = performance.now();
  return ({ output, text, update }: OutputEvent) => {
    if (!output || update) return;
    const stream_name =
      output.output_type === "stream" ? output.name : output.output_type === "error" ? "stderr" : "stdout";
    const data =
      output.output_type === "error"
        ? `${output.traceback.join("\n")}\n`
        : "data" in output
          ? `${bundleToText(output.data)}\n`
          : (text ?? "");
    const time = Math.round(performance.now() - began) / 1000;
    appendFileSync(path, `${JSON.stringify({ stream_name, time, data })}\n`);
  };
}

/** How many processes the kernel of the operating system has killed for lack of memory; 0 where it does not tell. */
function oomKills(): number {
  for (const path of ["/sys/fs/cgroup/memory.events", "/proc/vmstat"]) {
    try {
      if (!statSync(path).isFile()) continue;
      const match = /^oom_kill (\d+)$/m.exec(readFileSync(path, "utf8"));
      if (match) return Number(match[1]);
    } catch {
      // Not Linux, or not allowed to look.
    }
  }
  return 0;
}

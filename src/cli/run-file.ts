import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { attachKernel } from "../../kernel/kept.js";
import { launchKernel } from "../../kernel/launch.js";
import type { RunningKernel } from "../../kernel/running.js";
import { ensureCellIds, NotebookFormatError, readNotebook, writeNotebook } from "../notebook/document.js";
import { LivePageError } from "../notebook/live/errors.js";
import { type CodeCell, isCode, type Notebook, tagsOf } from "../notebook/nbformat.js";
import { recordedDuration } from "../notebook/run/estimate.js";
import { clearFailure, markFailure } from "../notebook/run/failure.js";
import { jsonLog } from "../notebook/run/log.js";
import {
  carryParameters,
  injectParameters,
  ParameterError,
  type Parameters,
  parseAssignment,
  readParameters,
} from "../notebook/run/parameters.js";
import { digest, noteRun, type RunRecord, resumeAt, runOnceTag, runRecord } from "../notebook/run/record.js";
import { terminalReporter } from "../notebook/run/reporter.js";
import { type CellStatus, type RunResult, runNotebook } from "../notebook/run/run.js";
import { notebookSaver } from "../notebook/run/saver.js";
import { stopOnSignals } from "./stop-signals.js";

export interface RunFileOptions {
  output?: string;
  html?: string;
  liveHtml?: string;
  /** `NAME=VALUE` each. */
  parameters?: string[];
  /** YAML or JSON files. */
  parameterFiles?: string[];
  cwd?: string;
  timeout?: number;
  grace?: number;
  startupTimeout?: number;
  allowErrors?: boolean;
  resume?: boolean;
  keepKernel?: boolean;
  prepareOnly?: boolean;
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

/** Runs the notebook file and resolves with the exit code. Everything it has to say goes to stderr. */
export async function runFile(file: string, options: RunFileOptions): Promise<number> {
  const input = resolve(file);
  const output = resolve(options.output ?? file);
  let plan: Plan;
  try {
    plan = await prepare(input, output, options);
    if (options.liveHtml !== undefined) await checkLivePage(plan.notebook, input);
  } catch (error) {
    const isExpected =
      error instanceof NotebookFormatError || error instanceof ParameterError || error instanceof LivePageError;
    if (!isExpected) throw error;
    say(error.message);
    return 2;
  }
  const { notebook, record } = plan;
  if (plan.start === notebook.cells.length) {
    say(`the earlier run is complete: nothing to resume in ${output}`);
    return 0;
  }
  if (options.prepareOnly) {
    writeNotebook(output, notebook);
    say(`not run; the notebook with its parameters is in ${output}`);
    return 0;
  }

  const oomBefore = oomKills();
  const stopper = stopOnSignals(say);
  let kernel: RunningKernel;
  try {
    kernel = plan.kernel ?? (await startKernel(options.cwd ?? dirname(input), options));
  } catch (error) {
    stopper.done();
    say(`the kernel did not start: ${(error as Error).message}`);
    return exitCodes.dead;
  }
  const cells = { ...plan.ran };
  noteRun(notebook, { ...record, cells });
  const reporter = terminalReporter(notebook, { quiet: options.quiet, expected: plan.expected });
  const saver = notebookSaver({ notebook, path: output, page: pageOf(notebook, output, options.html), warn: say });
  const log = options.logOutput === undefined ? undefined : jsonLog(options.logOutput);
  stopper.onSecond(() => {
    process.kill(kernel.pid, "SIGKILL");
    saver.abandon();
  });
  const began = performance.now();
  let result: RunResult;
  try {
    saver.now();
    result = await runNotebook(notebook, kernel, {
      ...{ timeout: options.timeout, grace: options.grace, allowErrors: options.allowErrors },
      signal: stopper.signal,
      from: plan.kernel ? plan.start : 0,
      skip: (cell, index) => index < plan.start && tagsOf(cell).includes(runOnceTag),
      onCellStart: (cell, index) => {
        cells[cell.id!] = digest(cell);
        reporter.cellStart(cell, index);
      },
      onInterrupt: (why, grace) => {
        const what = why === "timeout" ? `the cell took longer than ${options.timeout} s and was interrupted` : "";
        say(`${what || "the cell was interrupted"}; it has ${grace} s to finish its step and save`);
      },
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
  }
  const kept = await endKernel(kernel, result, options);
  if (result.status === "dead" && oomKills() > oomBefore) result.status = "out-of-memory";
  noteRun(notebook, finished({ ...record, cells }, result, began, kept));
  const stoppedAt = result.status === "ok" ? undefined : result.failures.at(-1);
  if (stoppedAt?.outcome.error) markFailure(notebook, stoppedAt.cell, stoppedAt.outcome.error);
  await saver.finish();
  if (options.liveHtml !== undefined) {
    const { exportFile } = await import("./export-file.js");
    const from = { name: basename(output), folder: dirname(output), live: { folder: dirname(input) } };
    await exportFile(notebook, resolve(options.liveHtml), from);
  }
  stopper.done();
  report(result, output, options, kept);
  return result.status === "interrupted" ? stopper.exitCode() : exitCodes[result.status];
}

interface Plan {
  notebook: Notebook;
  record: RunRecord;
  /** Index of the first cell whose results are wanted. */
  start: number;
  /** See `RunRecord.cells`. */
  ran?: RunRecord["cells"];
  /** The living kernel of an earlier run. */
  kernel?: RunningKernel;
  expected: (cell: CodeCell) => number | undefined;
}

/** Reads and checks everything; nothing has been started or written when it throws. */
async function prepare(input: string, output: string, options: RunFileOptions): Promise<Plan> {
  const notebook = readNotebook(input);
  const earlier = readIfThere(output);
  const last = options.resume && earlier ? runRecord(earlier) : undefined;
  const parameters: Parameters = {};
  for (const file of options.parameterFiles ?? []) Object.assign(parameters, await readParameters(file));
  Object.assign(parameters, Object.fromEntries((options.parameters ?? []).map(parseAssignment)));

  for (const each of [notebook, ...(earlier ? [earlier] : [])]) clearFailure(each);
  if (last && earlier) carryParameters(notebook, earlier);
  for (const warning of await injectParameters(notebook, parameters)) say(`warning: ${warning}`);
  ensureCellIds(notebook);
  const record: RunRecord = { status: "running", started: new Date().toISOString() };
  const noted = { ...last?.parameters, ...parameters };
  if (Object.keys(noted).length > 0) record.parameters = JSON.parse(JSON.stringify(noted));
  const expected = earlierDurations(notebook, earlier);
  const plan: Plan = { notebook, record, start: 0, expected };
  if (options.resume) await planResume(plan, earlier, last);
  clearOutputs(notebook.cells.slice(plan.start));
  return plan;
}

async function planResume(plan: Plan, earlier: Notebook | undefined, last: RunRecord | undefined): Promise<void> {
  if (!earlier || !last) return say("there is no earlier run to resume: running from the top");
  plan.start = resumeAt(plan.notebook, earlier);
  plan.ran = last.cells;
  if (plan.start === plan.notebook.cells.length) return;
  const number = plan.notebook.cells.slice(0, plan.start + 1).filter(isCode).length;
  plan.kernel = last.kernel && (await attachKernel(last.kernel));
  if (plan.kernel) say(`going on at code cell ${number} in the kernel that was kept`);
  else if (plan.start > 0) say(`going on at code cell ${number}; the cells before run again for their variables`);
}

function startKernel(cwd: string, options: RunFileOptions): Promise<RunningKernel> {
  return launchKernel({
    cwd: resolve(cwd),
    env: { ...process.env, KAISETSU_BATCH: "1" },
    keep: options.keepKernel,
    startupTimeout: options.startupTimeout && options.startupTimeout * 1000,
  });
}

/** Ends the kernel, or leaves it where that was asked for and something is left to resume. */
async function endKernel(
  kernel: RunningKernel,
  { status }: RunResult,
  { keepKernel }: RunFileOptions,
): Promise<RunRecord["kernel"]> {
  const isWorthKeeping = status === "error" || status === "timeout" || status === "interrupted";
  if (keepKernel && isWorthKeeping) {
    kernel.leave();
    return { connection_file: kernel.connectionFile, pid: kernel.pid };
  }
  await kernel.stop();
  return undefined;
}

function finished(record: RunRecord, result: RunResult, began: number, kernel: RunRecord["kernel"]): RunRecord {
  const failed = result.status === "ok" ? undefined : result.failures.at(-1)?.cell.id;
  return {
    ...record,
    status: result.status,
    duration: Math.round(performance.now() - began) / 1000,
    ...(failed !== undefined && { failed_cell: failed }),
    ...(kernel && { kernel }),
  };
}

function report(result: RunResult, output: string, options: RunFileOptions, kept: RunRecord["kernel"]): void {
  const allowed = result.status === "ok" ? result.failures.length : result.failures.length - 1;
  if (allowed > 0) say(`${allowed} cell(s) failed and were allowed to`);
  if (result.status === "out-of-memory") say("the kernel ran out of memory");
  if (result.status === "dead") say("the kernel died");
  if (result.status === "timeout") say(`a cell took longer than --timeout ${options.timeout}`);
  say(`${result.status === "ok" ? "done" : "stopped"}; the notebook with its outputs is in ${output}`);
  if (options.html !== undefined) say(`the page is in ${resolve(options.html)}`);
  if (options.liveHtml !== undefined) say(`the page that runs in a browser is in ${resolve(options.liveHtml)}`);
  if (kept) {
    say(`the kernel is kept for an hour: --resume goes on with it, and so can you:`);
    say(`  jupyter console --existing ${kept.connection_file}`);
  }
}

function pageOf(notebook: Notebook, output: string, html: string | undefined) {
  if (html === undefined) return undefined;
  const from = { name: basename(output), folder: dirname(output) };
  return {
    path: resolve(html),
    render: async () => (await import("../notebook/export/export.js")).exportHtml(notebook, from),
  };
}

/** What would keep the page from being written must not come out after hours of running. */
async function checkLivePage(notebook: Notebook, input: string): Promise<void> {
  const { prepareLiveNotebook, readLiveFiles } = await import("../notebook/export/live.js");
  readLiveFiles(notebook, dirname(input));
  await prepareLiveNotebook(notebook, "ja");
}

function say(message: string): void {
  console.error(`kaisetsu: ${message}`);
}

function clearOutputs(cells: Notebook["cells"]): void {
  for (const cell of cells) {
    if (!isCode(cell)) continue;
    cell.outputs = [];
    cell.execution_count = null;
    delete cell.metadata.execution;
  }
}

/** What an earlier run left at the output's place; only estimates and `--resume` depend on it. */
function readIfThere(output: string): Notebook | undefined {
  try {
    return existsSync(output) ? readNotebook(output) : undefined;
  } catch {
    return undefined;
  }
}

/** From the times noted in the notebook, or else in what an earlier run left at the output's place. */
function earlierDurations(notebook: Notebook, earlier: Notebook | undefined): Plan["expected"] {
  const times = new Map<string, number>();
  for (const { cells } of earlier ? [earlier, notebook] : [notebook]) {
    for (const cell of cells) {
      const seconds = isCode(cell) ? recordedDuration(cell) : undefined;
      if (seconds !== undefined && cell.id !== undefined) times.set(cell.id, seconds);
    }
  }
  return (cell) => times.get(cell.id ?? "");
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

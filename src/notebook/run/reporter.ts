/** What a person at a terminal, or the log of a batch system, sees while a notebook runs. */
import { bundleToText } from "../mime.js";
import { type CodeCell, isCode, isMarkdown, type Notebook } from "../nbformat.js";
import { durationEstimator } from "./estimate.js";
import type { OutputEvent } from "./recorder.js";
import type { CellOutcome } from "./run.js";

export interface ReporterOptions {
  /** Only errors and the final word. */
  quiet?: boolean;
  /** Where progress goes; outputs of cells go there too, each line prefixed with its cell's number. */
  stream?: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  /** Seconds that a cell took in an earlier run, where known. */
  expected?: (cell: CodeCell) => number | undefined;
}

export interface Reporter {
  cellStart(cell: CodeCell, index: number): void;
  cellEnd(cell: CodeCell, index: number, outcome: CellOutcome): void;
  output(event: OutputEvent): void;
  close(): void;
}

export function terminalReporter(notebook: Notebook, options: ReporterOptions = {}): Reporter {
  const { quiet = false, stream = process.stderr } = options;
  const code = notebook.cells.filter((cell): cell is CodeCell => isCode(cell) && cell.source.trim() !== "");
  const estimate = durationEstimator(code, options.expected);
  const status = stream.isTTY && !quiet ? statusLine(stream) : undefined;
  const print = (line: string) => {
    status?.hide();
    stream.write(`${line}\n`);
    status?.show();
  };
  const lines = linePrefixer(print);
  let current: { cell: CodeCell; number: number; began: number; live?: string } | undefined;
  const tick = () => {
    if (!current) return;
    const spent = (performance.now() - current.began) / 1000;
    const rest = estimate.remaining(current.cell, spent);
    const left = rest === undefined ? "" : ` · about ${formatDuration(rest)} left`;
    status?.set(
      `[${current.number}/${code.length}] ${formatDuration(spent)}${left}${current.live ? ` · ${current.live}` : ""}`,
    );
  };
  const timer = status && setInterval(tick, 500).unref();

  return {
    cellStart(cell, index) {
      current = { cell, number: code.indexOf(cell) + 1, began: performance.now() };
      if (!quiet) print(`[${current.number}/${code.length}] ${cellTitle(notebook, index)}`);
      tick();
    },
    cellEnd(cell, _index, outcome) {
      lines.flush();
      estimate.done(cell, outcome.duration);
      current = undefined;
      status?.set("");
      const number = code.indexOf(cell) + 1;
      if (outcome.error) for (const line of errorText(outcome.error).split("\n")) print(`[${number}] ✗ ${line}`);
      if (quiet) return;
      const rest = estimate.remaining();
      const left = rest === undefined || number === code.length ? "" : `, about ${formatDuration(rest)} left`;
      print(`[${number}/${code.length}] ${outcome.status} (${formatDuration(outcome.duration)}${left})`);
    },
    output({ cell, output, text, update }) {
      if (quiet || !output) return;
      const number = code.indexOf(cell) + 1;
      if (output.output_type === "stream")
        lines.write(`[${number}] ${output.name === "stderr" ? "!" : "│"} `, text ?? "");
      else if ("data" in output) {
        const shown = bundleToText(output.data).trimEnd();
        // A live display changes many times a second: on a terminal it lives in the status line, in a log it would flood.
        if (current && (update || output.output_type === "display_data")) current.live = shown.split("\n")[0]!.trim();
        if (update && status) tick();
        else if (!update || lines.due(cell)) {
          const fresh = lines.changed(cell, shown.split("\n"), update === true);
          lines.write(`[${number}] ${output.output_type === "execute_result" ? "=" : "◇"} `, `${fresh.join("\n")}\n`);
        }
      }
    },
    close() {
      lines.flush();
      clearInterval(timer);
      status?.set("");
    },
  };
}

/** The heading that stands above the cell, and the cell's first words. */
export function cellTitle(notebook: Notebook, index: number): string {
  let heading: string | undefined;
  for (const cell of notebook.cells.slice(0, index)) {
    if (isMarkdown(cell)) heading = /^#{1,3}\s+(.+?)\s*#*$/m.exec(cell.source)?.[1] ?? heading;
  }
  const line = notebook.cells[index]!.source.split("\n").find((text) => text.trim() !== "") ?? "";
  const first = line.replace(/^\s*\/\/[\s#]*/, "").trim();
  return [heading, first.length > 60 ? `${first.slice(0, 59)}…` : first].filter(Boolean).join(" ▸ ");
}

export function formatDuration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
}

/** Without terminal colours: logs are read in many places. */
function errorText({ ename, evalue, traceback }: { ename: string; evalue: string; traceback: string[] }): string {
  const text = traceback.length > 0 ? traceback.join("\n") : `${ename}: ${evalue}`;
  return stripAnsi(text).trimEnd();
}

export function stripAnsi(text: string): string {
  return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g, "");
}

/** Gives each line its prefix, and holds back the start of a line until the rest arrives. */
function linePrefixer(print: (line: string) => void) {
  let pending = "";
  let pendingPrefix = "";
  const lastUpdate = new Map<CodeCell, number>();
  const lastShown = new Map<CodeCell, Set<string>>();
  const flush = () => {
    if (pending !== "") print(pendingPrefix + lastStep(pending));
    pending = "";
  };
  return {
    flush,
    write(prefix: string, text: string) {
      if (prefix !== pendingPrefix) flush();
      pendingPrefix = prefix;
      const lines = (pending + stripAnsi(text)).split("\n");
      pending = lines.pop()!;
      for (const line of lines) print(prefix + lastStep(line));
    },
    /** True at most every ten seconds a cell. */
    due(cell: CodeCell): boolean {
      const now = performance.now();
      if (now - (lastUpdate.get(cell) ?? Number.NEGATIVE_INFINITY) < 10_000) return false;
      lastUpdate.set(cell, now);
      return true;
    },
    /** Of an update, the lines that the one before did not have: a log need not repeat what stayed. */
    changed(cell: CodeCell, shown: string[], update: boolean): string[] {
      const before = update ? lastShown.get(cell) : undefined;
      lastShown.set(cell, new Set(shown));
      const fresh = shown.filter((line) => !before?.has(line));
      return fresh.length > 0 ? fresh : shown.slice(0, 1);
    },
  };
}

/** A progress bar rewrites its line; a log wants the last state only. */
function lastStep(line: string): string {
  return line.replace(/\r+$/, "").split("\r").at(-1)!;
}

/** One line at the bottom of the terminal. */
function statusLine(stream: NonNullable<ReporterOptions["stream"]>) {
  let shown = "";
  const hide = () => {
    if (shown !== "") stream.write("\r\u001b[2K");
  };
  const show = () => {
    if (shown !== "") stream.write(fit(shown, (stream.columns ?? 80) - 1));
  };
  return {
    hide,
    show,
    set(text: string) {
      hide();
      shown = text;
      show();
    },
  };
}

/** Cut to the width; kana and kanji take two columns. */
function fit(text: string, columns: number): string {
  let used = 0;
  let result = "";
  for (const character of text) {
    used += character.codePointAt(0)! >= 0x1100 ? 2 : 1;
    if (used > columns) return result;
    result += character;
  }
  return result;
}

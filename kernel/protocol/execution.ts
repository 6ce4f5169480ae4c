import { setTimeout as sleep } from "node:timers/promises";
import type { CompiledCell, TypeMode } from "../compiler/cell.js";
import type { CellDiagnostic } from "../compiler/diagnostics.js";
import type { CellError, CellResult, FromCells } from "../messages.js";
import type { Message } from "../wire.js";
import { diagnosticsError, diagnosticsText } from "./diagnostics.js";
import type { ProtocolKernel } from "./kernel.js";

interface Current {
  id: number;
  request: Message;
  /** False while the cell is still being compiled. */
  started: boolean;
  interrupted: boolean;
  done(result: CellResult): void;
}

const interruption: CellError = {
  ename: "KeyboardInterrupt",
  evalue: "the cell was interrupted",
  traceback: ["KeyboardInterrupt: the cell was interrupted"],
};

/** Execute requests: compile, run in the cells' thread, report. */
export class Execution {
  private readonly kernel: ProtocolKernel;
  private readonly answerInput: (value: string | undefined) => void;
  private types: TypeMode;
  private count = 0;
  private current: Current | undefined;
  private forgetInput: (() => void) | undefined;
  private readonly commsDone = new Map<number, () => void>();

  constructor(kernel: ProtocolKernel, types: TypeMode, answerInput: (value: string | undefined) => void) {
    this.kernel = kernel;
    this.types = types;
    this.answerInput = answerInput;
  }

  get runningId(): number | undefined {
    return this.current?.id;
  }

  /** After another request was answered in the meantime: its `idle` was not this cell's. */
  stillBusy(): void {
    if (this.current) this.kernel.publish("status", { execution_state: "busy" }, this.current.request.header);
  }

  /** Resolves with true when the cell failed. */
  async run(request: Message): Promise<boolean> {
    const { code = "", silent = false, user_expressions, allow_stdin = true } = request.content as ExecuteContent;
    const store = !silent && (request.content as ExecuteContent).store_history !== false;
    const started = new Date().toISOString();
    if (store) this.count++;
    const { header } = request;
    if (!silent) this.kernel.publish("execute_input", { code, execution_count: this.count }, header);

    const page = pageRequest(code);
    const label = store ? `cell ${this.count}` : "cell";
    const result = page
      ? await this.page(page)
      : await this.runCode(request, { code, label, silent, allowStdin: allow_stdin, mode: this.types });

    this.kernel.output.flush();
    const failed = result.status === "error";
    // What was sent together with this request, to be aborted with it, may still be under way. Nobody has seen the error
    // yet: who does, and then runs a cell, is not aborted.
    if (failed && request.content.stop_on_error !== false) await sleep(STOP_ON_ERROR_WAIT);
    let shown: string | undefined;
    if (!failed && result.data && !silent) {
      shown = result.data["text/plain"] as string | undefined;
      const { data, metadata = {} } = result;
      this.kernel.publish("execute_result", { data, metadata, execution_count: this.count }, header);
    }
    if (failed && !silent) this.kernel.publish("error", errorFields(result), header);
    if (store) this.kernel.history.add(this.count, code, shown);
    const content = failed
      ? { status: "error", execution_count: this.count, ...errorFields(result), payload: [], user_expressions: {} }
      : {
          status: "ok",
          execution_count: this.count,
          payload: "payload" in result ? result.payload : [],
          user_expressions: await this.evaluate(request, user_expressions ?? {}),
        };
    this.kernel.output.flush();
    this.kernel.reply("shell", request, content, { started, status: content.status });
    return failed;
  }

  /** The reply to a request that was queued behind one that failed. */
  abort(request: Message): void {
    this.kernel.abortedStatus(request, () => {
      const content = { status: "aborted", execution_count: this.count, ...abortion };
      this.kernel.reply("shell", request, content, { status: "aborted" });
    });
  }

  fromCells(message: Exclude<FromCells, { kind: "stream" | "iopub" | "comms" | "children" | "sigint" }>): void {
    if (message.kind === "types") this.types = message.mode;
    else if (message.kind === "input") this.input(message);
    else {
      this.commsDone.get(message.id)?.();
      if (this.current?.id === message.id) this.current.done(message.result);
    }
  }

  /** A comm message of the front end, handled when what was sent before it is done. */
  async comm({ header, content, metadata, buffers }: Message): Promise<void> {
    const id = this.kernel.register(header);
    await new Promise<void>((resolve) => {
      this.commsDone.set(id, resolve);
      this.kernel.toCells({ kind: "comm", id, msgType: header.msg_type, content, metadata, buffers });
    });
    this.commsDone.delete(id);
  }

  /** A listener of a comm was cut off, and will not report. */
  commInterrupted(): void {
    for (const done of this.commsDone.values()) done();
  }

  /** True when the cell has not begun to run, or waits for an answer: then nothing else needs to be stopped. */
  interruptBeforeRun(): boolean {
    const { current } = this;
    if (!current) return false;
    if (!current.started) {
      current.interrupted = true;
      return true;
    }
    if (!this.forgetInput) return false;
    this.forgetInput();
    this.forgetInput = undefined;
    this.answerInput(undefined);
    return true;
  }

  private async runCode(request: Message, cell: CellRun): Promise<CellResult> {
    const { code, label, silent, allowStdin } = cell;
    const id = this.kernel.register(request.header);
    return new Promise<CellResult>((resolve) => {
      const current: Current = { id, request, started: false, interrupted: false, done: () => {} };
      this.current = current;
      const finish = (result: CellResult) => {
        if (this.current === current) this.current = undefined;
        this.forgetInput = undefined;
        void this.kernel.compiler.commit(id, result.live);
        resolve(result);
      };
      current.done = finish;
      this.kernel.compiler.compile(id, code, cell.mode).then(
        (compiled) => {
          if (current.interrupted) return finish({ status: "error", live: [], ...interruption });
          if (compiled.blocked) return finish({ ...diagnosticsError(compiled.diagnostics, label), live: [] });
          if (compiled.diagnostics.length > 0) this.warn(id, compiled.diagnostics, label);
          current.started = true;
          this.kernel.toCells({
            kind: "run",
            id,
            label,
            code,
            ...runnable(compiled),
            silent,
            allowStdin,
            wantsResult: !silent || cell.expression === true,
          });
        },
        (error: Error) =>
          finish({
            status: "error",
            live: [],
            ename: "CompilerError",
            evalue: error.message,
            traceback: [String(error.stack)],
          }),
      );
    });
  }

  private warn(id: number, diagnostics: CellDiagnostic[], label: string): void {
    this.kernel.output.add(id, "stderr", `${diagnosticsText(diagnostics, label).join("\n")}\n`);
  }

  private async evaluate(request: Message, expressions: Record<string, string>): Promise<Record<string, unknown>> {
    const results: Record<string, unknown> = {};
    for (const [name, code] of Object.entries(expressions)) {
      const cell = {
        code,
        label: `expression ${name}`,
        silent: true,
        allowStdin: false,
        mode: "off" as const,
        expression: true,
      };
      const result = await this.runCode(request, cell);
      results[name] =
        result.status === "ok"
          ? { status: "ok", data: result.data ?? { "text/plain": "undefined" }, metadata: result.metadata ?? {} }
          : { status: "error", ...errorFields(result) };
    }
    return results;
  }

  /** `name?` shows what is known about a name in the front end's pager. */
  private async page({
    code,
    detail,
  }: {
    code: string;
    detail: number;
  }): Promise<CellResult & { payload?: unknown[] }> {
    const { found, data } = await this.kernel.compiler.inspect(code, code.length, detail);
    if (!found) {
      const evalue = `nothing is known about "${code}"`;
      return { status: "error", live: [], ename: "NameError", evalue, traceback: [`NameError: ${evalue}`] };
    }
    return { status: "ok", live: [], payload: [{ source: "page", data, start: 0 }] } as CellResult;
  }

  private input({ prompt, password, wait }: Extract<FromCells, { kind: "input" }>): void {
    const { current } = this;
    const answered = (value: string | undefined) => {
      this.forgetInput = undefined;
      if (wait) this.answerInput(value);
      else this.kernel.toCells({ kind: "stdin", value });
    };
    // Asked from a timer after the cell ended: there is no request to answer any more.
    if (!current) answered(undefined);
    else {
      const forget = this.kernel.requestInput(current.request, prompt, password, answered);
      if (wait) this.forgetInput = forget;
    }
  }
}

/** Milliseconds, as in xeus. */
const STOP_ON_ERROR_WAIT = 50;

interface ExecuteContent {
  code?: string;
  silent?: boolean;
  store_history?: boolean;
  user_expressions?: Record<string, string>;
  allow_stdin?: boolean;
}

interface CellRun {
  code: string;
  label: string;
  silent: boolean;
  allowStdin: boolean;
  mode: TypeMode;
  expression?: boolean;
}

const abortion = { ename: "Aborted", evalue: "a cell before this one failed", traceback: [] as string[] };

function errorFields({ ename, evalue, traceback }: CellError): CellError {
  return { ename, evalue, traceback };
}

function runnable({ js, map, mapOffset, names }: CompiledCell) {
  return { js, map, mapOffset, names };
}

function pageRequest(code: string): { code: string; detail: number } | undefined {
  const match = /^\s*(?:(\?{1,2})\s*([\w$.]+)|([\w$.]+)\s*(\?{1,2}))\s*$/.exec(code);
  if (!match) return undefined;
  return { code: (match[2] ?? match[3])!, detail: (match[1] ?? match[4]) === "??" ? 1 : 0 };
}

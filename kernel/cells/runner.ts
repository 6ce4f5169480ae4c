import { Session } from "node:inspector";
import vm from "node:vm";
import { type Declared, Scope } from "../../src/notebook/scope.js";
import type { CellResult, RunCell } from "../messages.js";
import { type CellContext, currentCell, enterCell, watchDeadCells } from "./context.js";
import { format, type Shown } from "./display.js";
import { describeError, KeyboardInterrupt, ProcessExit, registerSource } from "./errors.js";
import { requestEnd } from "./interrupt-requests.js";
import type { Modules } from "./modules.js";
import { post } from "./port.js";

type CellFunction = () => Promise<{ value?: unknown } | undefined>;

interface Running extends CellContext {
  declared: Declared[];
  wantsResult: boolean;
  /** Where the cell was when it was interrupted in the middle of a computation. */
  interruptedAt?: string;
  /** The first interrupt of a cell whose work wants to end in good order is only a request. */
  askedToEnd?: boolean;
  end(outcome: { error: unknown } | { value: unknown }): void;
}

/** Runs cells one at a time, and ends them: by value, error, interrupt or `process.exit()`. */
export class Runner {
  private readonly scope = new Scope();
  private readonly modules: Modules;
  private readonly extras: unknown[];
  private running: Running | undefined;
  /** The last cell whose end the protocol thread was told. */
  private reported = 0;
  private readonly inspector = new Session();

  /** `extras` are what a cell finds under the names that compiler/cell.ts gives its function's parameters. */
  constructor(modules: Modules, extras: unknown[]) {
    this.modules = modules;
    this.extras = extras;
    this.inspector.connect();
  }

  /** To be called from an event of its own: an interrupt unwinds everything up to there. */
  run(message: RunCell): void {
    const cell: Running = {
      id: message.id,
      label: message.label,
      silent: message.silent,
      wantsResult: message.wantsResult,
      allowStdin: message.allowStdin,
      finished: false,
      declared: [],
      end: (outcome) => this.finish(cell, outcome),
      fail: (error) => this.finish(cell, { error }),
    };
    this.running = cell;
    enterCell(cell, () => {
      try {
        const body = this.load(message, cell);
        body().then(
          // What the cell left in the microtask queue still prints before the cell ends.
          (result) => setImmediate(() => cell.end({ value: result?.value })),
          (error) => setImmediate(() => cell.end({ error })),
        );
      } catch (error) {
        cell.end({ error });
      }
    });
  }

  private load(message: RunCell, cell: Running): CellFunction {
    const filename = `[kaisetsu cell ${message.id}]`;
    registerSource(filename, {
      label: message.label,
      source: message.code,
      map: message.map,
      mapOffset: message.mapOffset,
    });
    const api = {
      declare: (accessors: Parameters<Scope["declare"]>[0]) => cell.declared.push(this.scope.declare(accessors)),
      import: this.modules.import,
      meta: this.modules.meta,
    };
    const script = new vm.Script(message.js, { filename, lineOffset: -1 });
    const make = script.runInThisContext() as (...parameters: unknown[]) => CellFunction;
    return make(api, this.scope.object, this.modules.require, ...this.extras);
  }

  private finish(cell: Running, outcome: { error: unknown } | { value: unknown }): void {
    if (cell.finished) return;
    if ("error" in outcome) this.fail(cell, outcome.error);
    else if (!cell.wantsResult || outcome.value === undefined || outcome.value === null) this.succeed(cell);
    else this.show(cell, outcome.value);
  }

  private show(cell: Running, value: unknown): void {
    try {
      const shown = format(value);
      if (shown instanceof Promise) {
        shown.then(
          (result) => this.succeed(cell, result),
          (error) => this.fail(cell, error),
        );
      } else this.succeed(cell, shown);
    } catch (error) {
      this.fail(cell, error);
    }
  }

  private succeed(cell: Running, shown?: Shown): void {
    this.close(cell, { status: "ok", live: live(cell), data: shown?.data, metadata: shown?.metadata });
  }

  private fail(cell: Running, error: unknown): void {
    if (error instanceof ProcessExit && error.exitCode === 0) this.succeed(cell);
    else this.close(cell, { status: "error", live: live(cell), ...describeError(error) });
  }

  private close(cell: Running, result: CellResult): void {
    if (cell.id <= this.reported) return;
    cell.finished = true;
    // They know the earlier variables of the same names: kept, each cell would keep all values before it alive.
    cell.declared = [];
    this.report(cell.id, result);
    if (this.running === cell) this.running = undefined;
  }

  private report(id: number, result: CellResult): void {
    post({ kind: "done", id, result });
    this.reported = Math.max(this.reported, id);
  }

  /**
   * Called by the protocol thread through the inspector, between two instructions of whatever runs here. A computation
   * is cut off, and `interrupted` must follow as a message; a cell that only waits ends at once. True if cut off.
   */
  interrupt(): boolean {
    const { computing, stack } = interruptedCode();
    const cell = this.running;
    const asked = cell ? requestEnd() : false;
    if (cell && asked && !cell.askedToEnd) {
      cell.askedToEnd = true;
      return false;
    }
    if (cell) {
      cell.dead = true;
      if (computing) cell.interruptedAt = stack;
      watchDeadCells(() => this.cutOff());
    }
    // Nothing may follow the cut: it unwinds this call as well.
    if (computing) this.cutOff();
    else if (cell) this.fail(cell, interruption());
    return computing;
  }

  /** Unwinds what runs at this moment, up to the event loop. */
  private cutOff(): void {
    forgetAsyncContexts();
    this.inspector.post("Runtime.terminateExecution");
  }

  /**
   * Follows every interrupt of cell `id`. The cut may have come at any place, also in this class before the cell's own
   * code began or after it had ended: what counts is whether the end was reported.
   */
  interrupted(id: number): void {
    const cell = this.running;
    if (cell?.id === id) {
      // It was only asked to end, and ends by itself.
      if (cell.askedToEnd && !cell.dead) return;
      cell.dead = true;
      this.fail(cell, interruption(cell.interruptedAt));
    } else if (id > this.reported) {
      this.report(id, { status: "error", live: [], ...describeError(interruption()) });
    }
  }

  /** Ends the cell that called it. */
  exit(code: number): never {
    const error = new ProcessExit(code);
    const cell = this.running;
    // Also when the cell catches what is thrown here, or calls from a timer.
    if (cell && currentCell().id === cell.id) setImmediate(() => cell.end({ error }));
    throw error;
  }
}

function live(cell: Running): string[] {
  return cell.declared.flatMap((declared) => declared.settle());
}

function interruption(stack?: string): KeyboardInterrupt {
  const error = new KeyboardInterrupt("the cell was interrupted");
  error.stack = `KeyboardInterrupt: the cell was interrupted${stack ?? ""}`;
  return error;
}

/** The frames below this call and the inspector's own expression belong to interrupted code. */
function interruptedCode(): { computing: boolean; stack: string } {
  const limit = Error.stackTraceLimit;
  const prepare = Error.prepareStackTrace;
  let frames = 0;
  Error.stackTraceLimit = 30;
  Error.prepareStackTrace = (error, sites) => {
    frames = sites.length;
    return prepare?.(error, sites.slice(3));
  };
  const stack = String(new Error().stack);
  Error.prepareStackTrace = prepare;
  Error.stackTraceLimit = limit;
  // interruptedCode, interrupt, the evaluated expression
  return { computing: frames > 3, stack: stack.replace(/^Error/, "") };
}

/**
 * Cut-off code never leaves the async contexts that it entered, and Node aborts when it finds one left over
 * (seen with any AsyncLocalStorage, in a promise job). There is no public way to empty the stack.
 */
function forgetAsyncContexts(): void {
  try {
    const { binding } = process as unknown as { binding(name: string): { clearAsyncIdStack?(): void } };
    binding.call(process, "async_wrap").clearAsyncIdStack?.();
  } catch {
    // Node 24 hides it, but empties the stack itself after an exception that somebody handled.
    pretendException();
  }
}

function pretendException(): void {
  const { _fatalException } = process as unknown as { _fatalException?(error: Error, fromPromise: boolean): boolean };
  const isHandled = process.hasUncaughtExceptionCaptureCallback();
  if (!isHandled) process.setUncaughtExceptionCaptureCallback(() => {});
  _fatalException?.call(process, interruption(), false);
  if (!isHandled) process.setUncaughtExceptionCaptureCallback(null);
}

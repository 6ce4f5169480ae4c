import { Readable } from "node:stream";
import { type CellContext, currentCell } from "./context.js";
import { KeyboardInterrupt } from "./errors.js";
import { endsInMidLine } from "./output.js";
import { askAndWait, post } from "./port.js";

/** Nobody can answer: a batch run, or a front end without an input field. */
export class StdinNotAllowedError extends Error {
  override name = "StdinNotAllowedError";
  constructor(what: string) {
    super(`${what} needs somebody to answer, but this run takes no input (allow_stdin is false)`);
  }
}

export function canAsk(): boolean {
  return currentCell().allowStdin;
}

/** Blocks until answered. Throws `StdinNotAllowedError` at once where nobody can answer. */
export function ask(prompt = "", { password = false }: { password?: boolean } = {}): string {
  const cell = allowed(password ? "password()" : "prompt()");
  const answer = askAndWait(cell.id, prompt, password);
  if (answer === undefined) throw new KeyboardInterrupt("interrupted while waiting for input");
  return answer;
}

export function prompt(message = "", defaultValue = ""): string {
  const answer = ask(String(message));
  return answer === "" ? String(defaultValue) : answer;
}

export function confirm(message = ""): boolean {
  const cell = allowed("confirm()");
  for (;;) {
    const answer = askAndWait(cell.id, `${message} [y/N] `, false);
    if (answer === undefined) throw new KeyboardInterrupt("interrupted while waiting for input");
    if (/^(y|yes|はい)$/i.test(answer.trim())) return true;
    if (/^(n|no|いいえ|)$/i.test(answer.trim())) return false;
  }
}

export function password(message = ""): string {
  return ask(String(message), { password: true });
}

function allowed(what: string): CellContext {
  const cell = currentCell();
  if (!cell.allowStdin) throw new StdinNotAllowedError(what);
  return cell;
}

/**
 * `process.stdin` for readline and friends: each line that is wanted is asked for in the notebook. A stream wants to
 * be read ahead, but a question nobody asked must not appear: the next line is asked for when a question stands on
 * the last line of the output, or after a while.
 */
class NotebookStdin extends Readable {
  readonly isTTY = false;
  readonly fd = 0;
  private waiting = false;

  override _read(): void {
    if (this.waiting) return;
    this.waiting = true;
    this.askSoon(currentCell(), 0);
  }

  private askSoon(cell: CellContext, waited: number): void {
    if (!cell.allowStdin) {
      const error = new StdinNotAllowedError("reading from process.stdin");
      // Who reads may wait for ever for a line that never comes.
      cell.fail?.(error);
      this.destroy();
      return;
    }
    const delay = waited === 0 ? 0 : STEP;
    setTimeout(() => {
      if (cell.finished || this.isPaused()) this.waiting = false;
      else if (waited > PATIENCE || (waited > 0 && endsInMidLine(cell.id))) {
        post({ kind: "input", id: cell.id, prompt: "", password: false, wait: false });
      } else this.askSoon(cell, waited + STEP);
    }, delay);
  }

  override resume(): this {
    super.resume();
    if (!this.waiting && this.readableLength === 0) this._read();
    return this;
  }

  answer(value: string | undefined): void {
    this.waiting = false;
    this.push(value === undefined ? null : `${value}\n`);
  }

  setRawMode(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/** Milliseconds. */
const STEP = 10;
const PATIENCE = 200;

let stdin: NotebookStdin | undefined;

/** A stream that has ended or failed cannot be read again, so the next one who asks gets a new one. */
export function installStdin(): void {
  Object.defineProperty(process, "stdin", {
    configurable: true,
    get() {
      if (!stdin || stdin.destroyed || stdin.readableEnded) stdin = new NotebookStdin({ emitClose: true });
      return stdin;
    },
  });
}

export function answerStdin(value: string | undefined): void {
  stdin?.answer(value);
}

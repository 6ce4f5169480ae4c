import { Readable } from "node:stream";
import { type CellContext, currentCell } from "./context.js";
import { KeyboardInterrupt } from "./errors.js";
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

/** `process.stdin` for readline and friends: each line that is wanted is asked for in the notebook. */
class NotebookStdin extends Readable {
  readonly isTTY = false;
  readonly fd = 0;
  private waiting = false;

  override _read(): void {
    if (this.waiting) return;
    const cell = currentCell();
    if (!cell.allowStdin) {
      this.destroy(new StdinNotAllowedError("reading from process.stdin"));
      return;
    }
    this.waiting = true;
    post({ kind: "input", id: cell.id, prompt: "", password: false, wait: false });
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

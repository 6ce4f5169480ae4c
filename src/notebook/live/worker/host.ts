/** The notebook that kaisetsu's own code finds itself in, and what a cell may ask its reader. */
import { setNotebookHost } from "../../host.js";
import { NotInPageError } from "../node/errors.js";
import { clear, post, show } from "./output.js";

let ending: (() => void) | undefined;
let questions = 0;
const open = new Map<number, (value: string | boolean | null) => void>();

export function becomeHost(): void {
  setNotebookHost({
    display: show,
    clearOutput: clear,
    // A question waits for an answer in the middle of a computation, which a page cannot.
    canAsk: () => false,
    ask: () => {
      throw new NotInPageError("ask()");
    },
    onInterrupt(handler) {
      ending = handler;
      return () => {
        if (ending === handler) ending = undefined;
      };
    },
  });
}

/** @returns whether something that runs will end by itself, in good order */
export function requestEnd(): boolean {
  ending?.();
  return ending !== undefined;
}

/** What `await prompt(…)`, `confirm` and `alert` come to. */
export function ask(kind: "prompt" | "confirm" | "alert", message: unknown = "", initial: unknown = "") {
  const question = ++questions;
  post({ type: "ask", question, kind, message: String(message), initial: String(initial) });
  return new Promise<string | boolean | null>((resolve) => open.set(question, resolve));
}

export function answer(question: number, value: string | boolean | null): void {
  open.get(question)?.(value);
  open.delete(question);
}

export function askInVain(kind: string): never {
  throw new NotInPageError(`${kind}() in a function that is not async`);
}

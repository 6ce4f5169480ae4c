import { Session } from "node:inspector";
import { interruptChildren } from "./children.js";

/**
 * Reaches into the cells' thread while that computes: the inspector runs an expression there between two instructions.
 * (`vm`'s own `breakOnSigint` cannot stop a loop that follows an `await`.)
 */
export class Interrupter {
  private readonly session = new Session();

  constructor() {
    this.session.connectToMainThread();
  }

  /** Resolves with true when a computation was cut off, false when the thread was only waiting. */
  interrupt(): Promise<boolean> {
    return new Promise((resolve) => {
      // It waits for a child, in code that is not JavaScript.
      const blocked = setTimeout(interruptChildren, PATIENCE);
      const expression = "globalThis[Symbol.for('kaisetsu.kernel')].interrupt()";
      this.session.post("Runtime.evaluate", { expression, returnByValue: true }, (error, result) => {
        clearTimeout(blocked);
        // An error here is the termination itself, which also unwinds the expression.
        const value = (result as { result?: { value?: unknown } } | undefined)?.result?.value;
        resolve(error !== null || value !== false);
      });
    });
  }

  /** Bytes that the values of the cells take, those included that nobody needs any more. */
  heapUsed(): Promise<number> {
    return new Promise((resolve) => {
      this.session.post("Runtime.getHeapUsage", (_error, result) => {
        resolve((result as { usedSize?: number } | undefined)?.usedSize ?? 0);
      });
    });
  }

  /** Node waits for connected sessions when it exits. */
  disconnect(): void {
    this.session.disconnect();
  }
}

/** Milliseconds. */
const PATIENCE = 300;

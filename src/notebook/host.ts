/**
 * The notebook that code runs in, as far as a library needs it: showing things and asking the person in front of it.
 *
 * Our kernel puts an object of this type at `globalThis[Symbol.for("kaisetsu.host")]` before the first cell runs;
 * `notebook/display.ts` falls back to stock tslab's `display`, and to text on a plain terminal.
 */
export interface NotebookHost {
  /** `display_data`, or `update_display_data` when `update` is true. */
  display(
    data: Record<string, unknown>,
    options?: { metadata?: Record<string, unknown>; display_id?: string; update?: boolean },
  ): void;
  clearOutput(wait?: boolean): void;
  /** False in a batch run (`allow_stdin: false`): then `ask` throws at once. */
  canAsk(): boolean;
  /** Blocks until answered, like a browser's prompt(). */
  ask(prompt: string, options?: { password?: boolean }): string;
}

const key = Symbol.for("kaisetsu.host");

export function notebookHost(): NotebookHost | undefined {
  return (globalThis as Record<symbol, unknown>)[key] as NotebookHost | undefined;
}

export function setNotebookHost(host: NotebookHost | undefined): void {
  (globalThis as Record<symbol, unknown>)[key] = host;
}

/** Work that wants to end in order when the cell that runs it is interrupted. */
export interface InterruptListener {
  /** The first interrupt: the listener ends its work itself, soon. */
  interrupt(): void;
  /** The next one: the kernel has cut the computation off, and no `finally` of it runs. Only synchronous tidying. */
  cutOff(): void;
}

const listenersKey = Symbol.for("kaisetsu.interruptListeners");

/** @returns takes the listener away again */
export function onKernelInterrupt(listener: InterruptListener): () => void {
  const listeners = interruptListeners();
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** For kernels. They are kept on globalThis, because a notebook may load the package in more than one copy. */
export function interruptListeners(): Set<InterruptListener> {
  const place = globalThis as Record<symbol, unknown>;
  place[listenersKey] ??= new Set<InterruptListener>();
  return place[listenersKey] as Set<InterruptListener>;
}

import { notebookHost } from "../../notebook/host.js";

/** npm, npx and shells pass a signal on that the terminal has sent to the whole group already. */
const sameSignalMs = 300;

/**
 * Listens, while training runs, for what asks it to end: Ctrl-C, SIGTERM, or the interrupt button of a notebook. The first
 * time training is asked to save and stop; the second time it is over at once, which does no harm, since no write is ever
 * half visible.
 */
export class InterruptWatcher {
  /** What came first. */
  signal: string | undefined;
  /** Whether a second one came. */
  again = false;
  private receivedAt = 0;
  private readonly undo: (() => void)[] = [];

  constructor(private readonly onFirst: (signal: string) => void) {}

  /** @param abandon called when it is over at once, and nothing else of this run will be executed */
  start(abandon: () => void): void {
    const host = notebookHost();
    const inNotebook = () => {
      this.receive("interrupt");
      if (this.again) abandon();
    };
    if (host?.onInterrupt) this.undo.push(host.onInterrupt(inNotebook));
    // Under a notebook's kernel SIGINT means its interrupt button, and is the kernel's.
    else this.listen("SIGINT");
    this.listen("SIGTERM");
  }

  stop(): void {
    for (const undo of this.undo.splice(0)) undo();
  }

  receive(signal: string): void {
    const now = performance.now();
    if (this.signal === undefined) {
      this.signal = signal;
      this.receivedAt = now;
      // Not at once: an interrupt may come between any two instructions.
      setImmediate(() => this.onFirst(signal));
      return;
    }
    const fromSystem = signal === "SIGINT" || signal === "SIGTERM";
    if (fromSystem && signal === this.signal && now - this.receivedAt < sameSignalMs) return;
    this.again = true;
    if (fromSystem) process.exit(signal === "SIGINT" ? 130 : 143);
  }

  /** In worker threads this does nothing: signals go to the main thread. */
  private listen(signal: NodeJS.Signals): void {
    const listener = () => this.receive(signal);
    process.on(signal, listener);
    this.undo.push(() => process.off(signal, listener));
  }
}

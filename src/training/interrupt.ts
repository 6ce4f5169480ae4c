import { notebookHost, onKernelInterrupt } from "../notebook/host.js";

/** npm, npx and shells pass a signal on that the terminal has sent to the whole group already. */
const sameSignalMs = 300;

/** Listens, while training runs, for what asks it to end: Ctrl-C, SIGTERM, and the interrupt of a notebook's kernel. */
export class InterruptWatcher {
  /** The first signal that came. */
  signal: string | undefined;
  /** Whether a second one came. */
  again = false;
  private receivedAt = 0;
  private stopListening: (() => void) | undefined;

  constructor(private readonly onFirst: (signal: string) => void) {}

  /** @param abandon called when a kernel cuts off what runs here: nothing after it will be executed */
  start(abandon: () => void): void {
    // A kernel answers signals itself, and passes interrupts on.
    const names = notebookHost() ? [] : (["SIGINT", "SIGTERM"] as const);
    const listeners = names.map((name) => ({ name, listener: () => this.receive(name) }));
    // In worker threads this does nothing: signals go to the main thread.
    for (const { name, listener } of listeners) process.on(name, listener);
    const offKernel = onKernelInterrupt({ interrupt: () => this.receive("kernel interrupt"), cutOff: abandon });
    this.stopListening = () => {
      for (const { name, listener } of listeners) process.off(name, listener);
      offKernel();
    };
  }

  stop(): void {
    this.stopListening?.();
    this.stopListening = undefined;
  }

  /** The first asks training to end; the second ends the process. No write is ever half visible, so that does no harm. */
  receive(signal: string): void {
    const now = performance.now();
    if (this.signal === undefined) {
      this.signal = signal;
      this.receivedAt = now;
      this.onFirst(signal);
    } else if (now - this.receivedAt >= sameSignalMs) {
      this.again = true;
      if (signal === "SIGINT" || signal === "SIGTERM") process.exit(signal === "SIGINT" ? 130 : 143);
    }
  }
}

/** Listens for the signals that ask a process to end, while training runs. */
export class InterruptWatcher {
  /** The first signal that came. */
  signal: string | undefined;
  private readonly listeners = new Map<NodeJS.Signals, () => void>();

  constructor(private readonly onFirst: (signal: string) => void) {}

  /** In worker threads this does nothing: signals go to the main thread. */
  start(): void {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      const listener = () => this.receive(name);
      this.listeners.set(name, listener);
      process.on(name, listener);
    }
  }

  stop(): void {
    for (const [name, listener] of this.listeners) process.off(name, listener);
    this.listeners.clear();
  }

  /** The first asks training to end; the second ends the process. No write is ever half visible, so that does no harm. */
  receive(signal: string): void {
    if (this.signal === undefined) {
      this.signal = signal;
      this.onFirst(signal);
    } else if (signal === "SIGINT" || signal === "SIGTERM") {
      process.exit(signal === "SIGINT" ? 130 : 143);
    }
  }
}

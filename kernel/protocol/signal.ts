/**
 * Calls `interrupted` on SIGINT, in this thread: the main thread's own handler would wait for the cell to finish.
 * Node offers signals in the main thread only; the class behind them works in any. Returns false where that cannot be
 * had (Node 24): the main thread then tells of the signal when it comes to it, which a busy cell keeps it from.
 * `interrupt_request`, which Jupyter sends to this kernel, works anyway.
 */
export function onInterruptSignal(interrupted: () => void): boolean {
  const SIGINT = 2;
  try {
    const { binding } = process as unknown as { binding(name: string): { Signal: new () => SignalHandle } };
    const handle = new (binding.call(process, "signal_wrap").Signal)();
    handle.onsignal = interrupted;
    handle.unref();
    handle.start(SIGINT);
    return true;
  } catch {
    return false;
  }
}

interface SignalHandle {
  onsignal(signal: number): void;
  start(signal: number): number;
  unref(): void;
}

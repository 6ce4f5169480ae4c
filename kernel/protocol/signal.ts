/**
 * Calls `interrupted` on SIGINT, in this thread: the main thread's own handler would wait for the cell to finish.
 * Node offers signals in the main thread only; the class behind them works in any.
 */
export function onInterruptSignal(interrupted: () => void): void {
  const SIGINT = 2;
  try {
    const { binding } = process as unknown as { binding(name: string): { Signal: new () => SignalHandle } };
    const handle = new (binding.call(process, "signal_wrap").Signal)();
    handle.onsignal = interrupted;
    handle.unref();
    handle.start(SIGINT);
  } catch {
    // A Node without it: `interrupt_request`, which Jupyter sends to this kernel, still works.
  }
}

interface SignalHandle {
  onsignal(signal: number): void;
  start(signal: number): number;
  unref(): void;
}

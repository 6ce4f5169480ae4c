/** The first SIGINT or SIGTERM asks a run to end in order; the second ends this process, after `onSecond`'s last act. */
export function stopOnSignals(say: (message: string) => void) {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  let lastAct = () => {};
  const exitCode = () => (received === "SIGTERM" ? 143 : 130);
  const listener = (signal: NodeJS.Signals) => {
    if (received) {
      try {
        lastAct();
      } finally {
        process.exit(exitCode());
      }
    }
    received = signal;
    say(`${signal}: ending the run in order; once more to leave at once`);
    controller.abort();
  };
  process.on("SIGINT", listener).on("SIGTERM", listener);
  return {
    signal: controller.signal,
    exitCode,
    onSecond(act: () => void) {
      lastAct = act;
    },
    done: () => void process.off("SIGINT", listener).off("SIGTERM", listener),
  };
}

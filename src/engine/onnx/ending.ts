import { hasDied } from "../thread-number.js";

/**
 * A thread must not be ended inside of onnxruntime-node: the call comes back into a JavaScript world that is gone, throws,
 * and aborts the whole process. So the end waits for the call that runs, and the thread begins no other.
 */

/** Words shared with the device's thread. */
export const Word = { answered: 0, busy: 1, ending: 2, thread: 3 } as const;

/** On the device's thread: does `work`, unless the end has come. */
export function unlessEnding(words: Int32Array, work: () => void): void {
  // First busy, then the look at `ending`; `waitForEnd` does it the other way round, so one of the two sees the other.
  Atomics.store(words, Word.busy, 1);
  if (Atomics.load(words, Word.ending) === 0) work();
  Atomics.store(words, Word.busy, 0);
  Atomics.notify(words, Word.busy);
}

/** On the thread that made the device. */
export function beginEnd(words: Int32Array): void {
  Atomics.store(words, Word.ending, 1);
}

const alive = new Set<Int32Array>();

/** Lets the process wait, when it ends, for what the device computes. */
export function endWithProcess(words: Int32Array): void {
  if (alive.size === 0) process.on("exit", waitForEnd);
  alive.add(words);
}

export function hasEnded(words: Int32Array): void {
  alive.delete(words);
  if (alive.size === 0) process.off("exit", waitForEnd);
}

function waitForEnd(): void {
  for (const words of alive) beginEnd(words);
  // Whoever is tired of waiting can still end the process at once.
  for (const signal of ["SIGINT", "SIGTERM"]) process.removeAllListeners(signal);
  for (const words of alive) {
    let told = false;
    while (Atomics.wait(words, Word.busy, 1, PATIENCE_MS) === "timed-out" && !hasDied(words[Word.thread]!)) {
      if (!told) process.stderr.write("kaisetsu: waiting for the step that is being computed (Ctrl-C ends at once)\n");
      told = true;
    }
  }
}

const PATIENCE_MS = 2000;

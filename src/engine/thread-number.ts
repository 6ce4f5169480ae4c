import { existsSync, readlinkSync } from "node:fs";

/** The system's number of the calling thread; 0 where the system does not tell (it is Linux that does). */
export function threadNumber(): number {
  try {
    return Number(readlinkSync("/proc/thread-self").split("/").pop());
  } catch {
    return 0;
  }
}

/** Whether the thread is known to have ended. A thread that sleeps in `Atomics.wait` hears of it in no other way. */
export function hasDied(number: number): boolean {
  return number > 0 && !existsSync(`/proc/self/task/${number}`);
}

import { setImmediate } from "node:timers/promises";

/**
 * Lets timers, messages and signals have their turn. One `setImmediate` does not when it is asked for while a message is
 * handled: it comes at the end of the same round of the event loop.
 */
export async function nextTurn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

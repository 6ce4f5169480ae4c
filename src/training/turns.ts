import { nextTurn } from "../next-turn.js";

/** How long a piece of work may hold the event loop up. */
const TURN_MS = 10;

/** For work in many small portions: timers, messages and interrupts get their turn in between. */
export class Turns {
  private since = performance.now();

  /** Call between portions; returns at once as long as the event loop has not waited for long. */
  async giveWay(): Promise<void> {
    if (performance.now() - this.since < TURN_MS) return;
    await nextTurn();
    this.since = performance.now();
  }
}

import { AsyncLocalStorage, createHook, executionAsyncResource } from "node:async_hooks";

/** A cell that runs or ran: what it does later, in a timer or after an await, still belongs to it. */
export interface CellContext {
  readonly id: number;
  readonly label: string;
  readonly silent: boolean;
  readonly allowStdin: boolean;
  finished: boolean;
  /** Interrupted: what it still awaits must not go on when that arrives. */
  dead?: boolean;
  /** Ends the cell with an error, from wherever. */
  fail?(error: unknown): void;
}

const storage = new AsyncLocalStorage<CellContext>();
let current: CellContext = { id: 0, label: "no cell", silent: false, allowStdin: false, finished: true };

/** The cell whose code is running now, or the one that started last. */
export function currentCell(): CellContext {
  return storage.getStore() ?? current;
}

export function enterCell<T>(cell: CellContext, run: () => T): T {
  current = cell;
  return storage.run(cell, run);
}

/** Runs a callback for an earlier cell without making that the latest. */
export function inCell<T>(cell: CellContext, run: () => T): T {
  return storage.run(cell, run);
}

/**
 * From now on, calls `stop` whenever a promise job of a dead cell is about to run: a training loop in some library
 * must not go on in the background after its cell was interrupted. Timers and sockets of the cell live on, since
 * later cells may use what they serve.
 */
export function watchDeadCells(stop: () => void): void {
  if (watching) return;
  watching = true;
  createHook({
    before() {
      if (storage.getStore()?.dead && executionAsyncResource() instanceof Promise) stop();
    },
  }).enable();
}

let watching = false;

import { AsyncLocalStorage } from "node:async_hooks";

/** A cell that runs or ran: what it does later, in a timer or after an await, still belongs to it. */
export interface CellContext {
  readonly id: number;
  readonly label: string;
  readonly silent: boolean;
  readonly allowStdin: boolean;
  finished: boolean;
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

import { inspect } from "node:util";

/**
 * Shows promises as Node shows them: following asynchronous work, as the kernel does to know which cell a callback
 * belongs to, makes Node hang members on every promise, which `inspect` would print.
 */
export function hidePromiseMembers(): void {
  Object.defineProperty(Promise.prototype, inspect.custom, {
    configurable: true,
    writable: true,
    value(this: Promise<unknown>) {
      for (const symbol of Object.getOwnPropertySymbols(this)) {
        if (added.has(symbol.description)) Object.defineProperty(this, symbol, { enumerable: false });
      }
      // `inspect` takes the object itself for "as usual".
      return this;
    },
  });
}

const added = new Set<string | undefined>(["async_id_symbol", "trigger_async_id_symbol", "kResourceStore"]);

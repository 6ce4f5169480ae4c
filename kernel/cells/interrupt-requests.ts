const handlers = new Set<() => void>();

/** See `NotebookHost.onInterrupt`. */
export function onInterrupt(handler: () => void): () => void {
  handlers.add(handler);
  return () => {
    handlers.delete(handler);
  };
}

/** Tells whatever registered that an interrupt has come. @returns whether anything did */
export function requestEnd(): boolean {
  for (const handler of handlers) handler();
  return handlers.size > 0;
}

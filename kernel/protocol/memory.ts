/**
 * V8 ends the whole process when its heap is full, without a word to the notebook: what a front end can say is that
 * the kernel died. So a cell is warned, in its output, while there is still somebody to do it. (Tensors and typed
 * arrays lie outside the heap and are not counted.)
 */
export function watchMemory(
  cells: { heapUsed(): Promise<number> },
  limit: number,
  notebook: { running(): number | undefined; warn(id: number, text: string): void },
): void {
  let warned: number | undefined;
  let looking = false;
  const look = async () => {
    const id = notebook.running();
    if (id === undefined || id === warned || looking) return;
    looking = true;
    const used = await cells.heapUsed();
    looking = false;
    if (used < limit * NEARLY_FULL) return;
    warned = id;
    notebook.warn(id, warning(used, limit));
  };
  setInterval(look, INTERVAL).unref();
}

function warning(used: number, limit: number): string {
  const [have, most] = [used, limit].map((bytes) => Math.round(bytes / 2 ** 20));
  return (
    `kaisetsu: the values in memory take ${have} of the ${most} MB that Node allows; when they fill it, the kernel dies. ` +
    "Free what is not needed, or start the kernel with NODE_OPTIONS=--max-old-space-size=MEGABYTES.\n"
  );
}

/** Milliseconds. */
const INTERVAL = 100;
/** V8 gives up at about 0.9 of the limit, since memory is in pages that are never quite full. */
const NEARLY_FULL = 0.8;

import type { CodeCell } from "../nbformat.js";

/**
 * How long the rest of the run will take: from what each cell took last time, scaled by how this run compares so far;
 * for cells that never ran, from the mean of those that did. Undefined until there is something to go by.
 */
export function durationEstimator(
  cells: readonly CodeCell[],
  expected: (cell: CodeCell) => number | undefined = () => undefined,
) {
  const before = new Map(cells.map((cell) => [cell, expected(cell)]));
  const done = new Map<CodeCell, number>();

  const expectation = (cell: CodeCell): number | undefined => {
    const known = before.get(cell);
    if (known !== undefined) return known * pace();
    if (done.size < 2) return undefined;
    return [...done.values()].reduce((a, b) => a + b, 0) / done.size;
  };
  const pace = (): number => {
    let took = 0;
    let should = 0;
    for (const [cell, seconds] of done) {
      const known = before.get(cell);
      if (known === undefined) continue;
      took += seconds;
      should += known;
    }
    // A second of start-up noise says nothing about a training of minutes.
    return should < 2 ? 1 : Math.min(4, Math.max(0.25, took / should));
  };

  return {
    done: (cell: CodeCell, seconds: number) => void done.set(cell, seconds),
    /** Seconds, with `current` having run for `spent` seconds already. */
    remaining(current?: CodeCell, spent = 0): number | undefined {
      let sum = 0;
      for (const cell of cells) {
        if (done.has(cell)) continue;
        const seconds = expectation(cell);
        if (seconds === undefined) return undefined;
        sum += cell === current ? Math.max(0, seconds - spent) : seconds;
      }
      return sum;
    },
  };
}

/** Seconds between the two times that a front end noted in the cell, if it did. */
export function recordedDuration(cell: CodeCell): number | undefined {
  const execution = cell.metadata.execution as Record<string, string> | undefined;
  const start = Date.parse(execution?.["iopub.execute_input"] ?? "");
  const end = Date.parse(execution?.["shell.execute_reply"] ?? "");
  return end >= start ? (end - start) / 1000 : undefined;
}

import { DatasetError } from "./errors.js";
import { permutation } from "./random/permutation.js";

export interface SplitOptions {
  /** The share of rows for evaluation in (0, 1), or a number of rows when 1 or more. Default 0.2. */
  test_size?: number;
  /** Default 42. The same seed gives the same split, so that a run which starts again never trains on its evaluation rows. */
  seed?: number;
  /** At most so many rows for evaluation; those beyond it are left out of both sides. Default: no limit. */
  max_test_size?: number;
}

/**
 * The row numbers of either side, in the order of numpy's legacy permutation for the seed.
 *
 * @throws DatasetError when either side would be empty, RangeError for sizes that mean nothing.
 */
export function splitIndices(
  n: number,
  { test_size = 0.2, seed = 42, max_test_size = Number.POSITIVE_INFINITY }: SplitOptions,
): { train: number[]; test: number[] } {
  if (!(test_size > 0) || (test_size > 1 && !Number.isInteger(test_size))) {
    throw new RangeError(`test_size must be a share in (0, 1) or a number of rows, got ${test_size}`);
  }
  if (!(max_test_size >= 1)) throw new RangeError(`max_test_size must be at least 1, got ${max_test_size}`);
  // Truncated as Python's int() does: 0.8 * n may fall just below a whole number, and one row changes sides.
  const trainRows = test_size < 1 ? Math.trunc(n * (1 - test_size)) : n - test_size;
  const testRows = Math.min(n - trainRows, Math.floor(max_test_size));
  if (trainRows < 1 || testRows < 1) {
    throw new DatasetError(
      `${n} rows cannot be split with test_size ${test_size}: that leaves ${Math.max(trainRows, 0)} to train and ` +
        `${Math.max(testRows, 0)} to evaluate; add dialogues or change test_size`,
    );
  }
  const order = permutation(n, { seed, generator: "numpy" });
  return { train: order.slice(0, trainRows), test: order.slice(trainRows, trainRows + testRows) };
}

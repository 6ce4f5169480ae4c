import { type DialogueRow, readDialogues } from "./dialogues.js";
import { DatasetError } from "./errors.js";
import { permutation } from "./random/permutation.js";
import { type SplitOptions, splitIndices } from "./split.js";

/**
 * Rows in a fixed order. A Dataset never changes: every method that would change it returns another one, which shares the
 * rows themselves (do not edit a row that you got; `map` it).
 */
export class Dataset<Row = DialogueRow> implements Iterable<Row> {
  private constructor(private readonly rows: readonly Row[]) {}

  /**
   * Reads dialogues: JSONL, or one JSON array; see DESIGN's format. UTF-8, blank lines allowed.
   * @throws DatasetError naming file:line.
   */
  static fromJsonl(path: string): Dataset<DialogueRow> {
    return new Dataset(readDialogues(path));
  }

  /** Rows of any kind, in the order given. Later changes to the array do not reach the Dataset. */
  static fromArray<Row>(rows: readonly Row[]): Dataset<Row> {
    if (!Array.isArray(rows)) throw new DatasetError(`Dataset.fromArray takes a list of rows, got ${typeof rows}`);
    return new Dataset<Row>([...rows]);
  }

  get length(): number {
    return this.rows.length;
  }

  /**
   * Row `index`, counted from 0; a negative index counts from the end, as in Python.
   * @throws DatasetError when there is no such row.
   */
  get(index: number): Row {
    const at = index < 0 ? this.length + index : index;
    if (!Number.isInteger(index) || at < 0 || at >= this.length) {
      throw new DatasetError(`no row ${index}: the dataset has ${this.length} row${this.length === 1 ? "" : "s"}`);
    }
    return this.rows[at]!;
  }

  /** The rows at `indices`, in that order; an index may come twice. */
  select(indices: Iterable<number>): Dataset<Row> {
    return new Dataset(Array.from(indices, (index) => this.get(index)));
  }

  /** Calls `fn` once for every row, in order. */
  map<Result>(fn: (row: Row, index: number) => Result): Dataset<Result> {
    return new Dataset(this.rows.map((row, index) => fn(row, index)));
  }

  filter(keep: (row: Row, index: number) => boolean): Dataset<Row> {
    return new Dataset(this.rows.filter((row, index) => keep(row, index)));
  }

  /** The order that Python's `datasets` gives for the seed (default 42; `np.random.default_rng(seed).permutation`). */
  shuffle({ seed = 42 }: { seed?: number } = {}): Dataset<Row> {
    return this.select(permutation(this.length, { seed, generator: "numpy_default_rng" }));
  }

  /**
   * Two datasets with no row in common: the order is `np.random.seed(seed); np.random.permutation(n)`, the first
   * `int(n * (1 - test_size))` rows train, the next ones (at most `max_test_size`) evaluate.
   *
   * @throws DatasetError when either side would be empty.
   */
  trainTestSplit(options: SplitOptions = {}): { train: Dataset<Row>; test: Dataset<Row> } {
    const { train, test } = splitIndices(this.length, options);
    return { train: this.select(train), test: this.select(test) };
  }

  toArray(): Row[] {
    return [...this.rows];
  }

  [Symbol.iterator](): Iterator<Row> {
    return this.rows[Symbol.iterator]();
  }
}

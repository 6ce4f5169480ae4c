import * as tf from "@tensorflow/tfjs";

/** Random tensors that are the same on every engine: drawn by our own generator (mulberry32), not by the backend. */
export class Source {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  /** In [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  float(shape: number[], low = -2, high = 2): tf.Tensor {
    return tf.tensor(
      this.fill(shape, () => low + (high - low) * this.next()),
      shape,
      "float32",
    );
  }

  /** Integers in [low, high). */
  int(shape: number[], high: number, low = 0): tf.Tensor {
    return tf.tensor(
      this.fill(shape, () => low + this.below(high - low)),
      shape,
      "int32",
    );
  }

  bool(shape: number[]): tf.Tensor {
    return tf.tensor(
      this.fill(shape, () => this.below(2)),
      shape,
      "bool",
    );
  }

  private fill(shape: number[], draw: () => number): number[] {
    return Array.from({ length: tf.util.sizeFromShape(shape) }, draw);
  }
}

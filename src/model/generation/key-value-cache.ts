import * as tf from "@tensorflow/tfjs";
import type { Architecture, LayerType } from "../architecture.js";
import { MASKED } from "../decoder/mask.js";
import type { NamedTensors } from "../types.js";

/** The cache grows in steps of this many tokens: each capacity is a shape of its own to an engine that traces. */
const BUCKET = 128;

/** Keys and values of one sequence, on the host: by layer, `[kvHeads, capacity, headDim]`, 0 where nothing is yet. */
export class KeyValueCache {
  capacity: number;
  private keys: Float32Array[];
  private values: Float32Array[];

  constructor(
    private readonly arch: Architecture,
    tokens: number,
  ) {
    this.capacity = Math.ceil(tokens / BUCKET) * BUCKET;
    const empty = () => Array.from({ length: arch.layers }, () => new Float32Array(this.size(this.capacity)));
    this.keys = empty();
    this.values = empty();
  }

  /** Makes room for `tokens` tokens. */
  reserve(tokens: number): void {
    if (tokens <= this.capacity) return;
    const capacity = Math.ceil(tokens / BUCKET) * BUCKET;
    const { kvHeads, headDim } = this.arch;
    const grow = (old: Float32Array) => {
      const grown = new Float32Array(this.size(capacity));
      for (let head = 0; head < kvHeads; head++) {
        const from = head * this.capacity * headDim;
        grown.set(old.subarray(from, from + this.capacity * headDim), head * capacity * headDim);
      }
      return grown;
    };
    this.keys = this.keys.map(grow);
    this.values = this.values.map(grow);
    this.capacity = capacity;
  }

  /** Copies the first `count` of `stride` tokens per head, `[kvHeads, stride, headDim]`, to position `at`. */
  store(layer: number, keys: Float32Array, values: Float32Array, at: number, count: number, stride: number): void {
    const { kvHeads, headDim } = this.arch;
    for (let head = 0; head < kvHeads; head++) {
      const from = head * stride * headDim;
      const to = (head * this.capacity + at) * headDim;
      this.keys[layer]!.set(keys.subarray(from, from + count * headDim), to);
      this.values[layer]!.set(values.subarray(from, from + count * headDim), to);
    }
  }

  /** New tensors `[1, kvHeads, capacity, headDim]`. They may share the cache's memory: dispose them before `store`. */
  tensors(): NamedTensors {
    const shape: [number, number, number, number] = [1, this.arch.kvHeads, this.capacity, this.arch.headDim];
    const inputs: NamedTensors = {};
    for (let layer = 0; layer < this.arch.layers; layer++) {
      inputs[`cache.keys.${layer}`] = tf.tensor4d(this.keys[layer]!, shape);
      inputs[`cache.values.${layer}`] = tf.tensor4d(this.values[layer]!, shape);
    }
    return inputs;
  }

  /** 1 at `position`, else 0. */
  slot(position: number): Float32Array {
    const slot = new Float32Array(this.capacity);
    slot[position] = 1;
    return slot;
  }

  /** 0 for the slots that the token at `position` attends to, `MASKED` for the others. */
  mask(position: number, type: LayerType): Float32Array {
    const first = type === "sliding_attention" ? Math.max(0, position - this.arch.slidingWindow + 1) : 0;
    return new Float32Array(this.capacity).fill(MASKED).fill(0, first, position + 1);
  }

  private size(capacity: number): number {
    return this.arch.kvHeads * capacity * this.arch.headDim;
  }
}

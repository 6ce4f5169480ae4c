import type { Tensor4D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { Architecture, LayerType } from "../architecture.js";
import { MASKED } from "../decoder/mask.js";
import { ropeValues } from "../decoder/rope.js";
import type { NamedTensors } from "../types.js";

/** The cache grows in steps of this many tokens: each capacity is a shape of its own to an engine that traces. */
const BUCKET = 128;

/** Room for the newest tokens: a step gives back only these, because engines copy what a step gives back. */
export const RECENT = 16;

/** The room for a prompt that was padded to `tokens`. */
export function capacityFor(tokens: number): number {
  return Math.ceil(tokens / BUCKET) * BUCKET;
}

/**
 * Keys and values of some sequences, on the engine: by layer `[batch, kvHeads, capacity, headDim]`, and beside them the
 * newest tokens, `[batch, kvHeads, RECENT, headDim]`, 0 where none is yet.
 *
 * Prompts begin at slot 0; what is made goes behind the longest of them, for all rows into the same slot. What lies between
 * is hidden by the masks.
 */
export class KeyValueCache {
  private capacity: number;
  private readonly longest: number;
  /** Made tokens that lie in the cache itself; the others are recent. */
  private settled = 0;
  private recent = 0;
  private readonly empty: Tensor4D;
  private readonly held: NamedTensors;

  /**
   * @param lengths tokens of each prompt
   * @param prefilled `keys.0`, `values.0` … of the prompts, as the prefill step gives them; the cache owns them from now on
   */
  constructor(
    private readonly arch: Architecture,
    private readonly lengths: number[],
    prefilled: NamedTensors,
  ) {
    this.longest = Math.max(...lengths);
    this.capacity = prefilled["keys.0"]!.shape[2]!;
    this.empty = tf.zeros([lengths.length, arch.kvHeads, RECENT, arch.headDim]);
    this.held = {};
    for (const name of this.names()) {
      this.held[`cache.${name}`] = prefilled[name]!;
      this.held[`recent.${name}`] = this.empty;
    }
  }

  /** Tokens made so far, which have keys and values here. */
  get made(): number {
    return this.settled + this.recent;
  }

  get isFull(): boolean {
    return this.recent === RECENT;
  }

  /** Keys and values as inputs of a step. They stay the cache's. */
  tensors(): NamedTensors {
    return { ...this.held };
  }

  /**
   * What else a step for the next token of each row needs: where to put its keys, its rotation, and what it sees. The
   * caller disposes them.
   */
  place(): NamedTensors {
    const { arch, made, lengths } = this;
    const slot = new Float32Array(RECENT);
    slot[this.recent] = 1;
    const inputs: NamedTensors = { slot: tf.tensor2d(slot, [RECENT, 1]) };
    const shape: [number, number, number, number] = [lengths.length, 1, 1, arch.headDim / 2];
    const positions = lengths.map((length) => length + made);
    for (const type of new Set(arch.layerTypes)) {
      const { cos, sin } = ropeValues(arch.rope[type], arch.headDim, positions);
      inputs[`cos.${type}`] = tf.tensor4d(cos, shape);
      inputs[`sin.${type}`] = tf.tensor4d(sin, shape);
      inputs[`mask.${type}`] = tf.tensor4d(this.mask(type), [lengths.length, 1, 1, this.capacity + RECENT]);
    }
    return inputs;
  }

  /** Takes over the recent keys and values with the token that was placed, `keys.0`, `values.0` … */
  add(recent: NamedTensors): void {
    for (const name of this.names()) this.replace(`recent.${name}`, recent[name]!);
    this.recent++;
  }

  /**
   * What `settle` needs: for each slot of the new cache, where its token lies in the old one with the recent tokens behind
   * it, `[capacity]` int32. The caller disposes it.
   */
  order(): tf.Tensor1D {
    const filled = this.longest + this.settled;
    const capacity = Math.max(this.capacity, capacityFor(filled + RECENT));
    const order = new Int32Array(capacity);
    for (let i = 0; i < filled; i++) order[i] = i;
    for (let i = 0; i < RECENT; i++) order[filled + i] = this.capacity + i;
    return tf.tensor1d(order, "int32");
  }

  /** Takes over a cache into which the recent tokens have gone, `keys.0`, `values.0` … */
  settle(merged: NamedTensors): void {
    for (const name of this.names()) {
      this.replace(`cache.${name}`, merged[name]!);
      this.replace(`recent.${name}`, this.empty);
    }
    this.capacity = merged["keys.0"]!.shape[2]!;
    this.settled += this.recent;
    this.recent = 0;
  }

  dispose(): void {
    tf.dispose([...Object.values(this.held), this.empty]);
  }

  private names(): string[] {
    const layers = [...Array(this.arch.layers).keys()];
    return layers.flatMap((layer) => [`keys.${layer}`, `values.${layer}`]);
  }

  private replace(name: string, tensor: tf.Tensor): void {
    const old = this.held[name]!;
    this.held[name] = tensor;
    if (old !== this.empty) old.dispose();
  }

  /** 0 for what the next token of each row sees, itself included, `MASKED` for the rest. */
  private mask(type: LayerType): Float32Array {
    const { arch, lengths, capacity, longest, settled, made } = this;
    const columns = capacity + RECENT;
    const mask = new Float32Array(lengths.length * columns).fill(MASKED);
    for (const [row, length] of lengths.entries()) {
      const first = type === "sliding_attention" ? Math.max(0, length + made - arch.slidingWindow + 1) : 0;
      const start = row * columns;
      if (first < length) mask.fill(0, start + first, start + length);
      const from = Math.max(0, first - length);
      if (from < settled) mask.fill(0, start + longest + from, start + longest + settled);
      mask.fill(0, start + capacity + Math.max(0, from - settled), start + capacity + made - settled + 1);
    }
    return mask;
  }
}

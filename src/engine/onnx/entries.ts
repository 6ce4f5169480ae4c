import * as tf from "@tensorflow/tfjs";
import type { Value } from "./values.js";

/** What a tensor's data id stands for. */
export interface Entry {
  /** Undefined: a string or complex tensor, which TensorFlow.js's cpu backend keeps. */
  value: Value | undefined;
  foreign: tf.TensorInfo | undefined;
  refCount: number;
}

/** A data id that this backend made: its own entry. */
class OwnId implements Entry {
  value: Value | undefined;
  foreign: tf.TensorInfo | undefined;
  refCount = 1;

  constructor(
    /** Undefined when the data is gone, or has moved to another backend. */
    public table: Entries | undefined,
    { value, foreign }: Pick<Entry, "value" | "foreign">,
  ) {
    this.value = value;
    this.foreign = foreign;
  }
}

/**
 * The entries of a backend by data id. TensorFlow.js keeps such things in a WeakMap, which is slow for the thousands of
 * tensors that a step makes and drops: V8 rehashes it again and again. It is here for tensors of other backends only.
 */
export class Entries {
  private readonly moved: tf.DataStorage<Entry>;
  private own = 0;

  constructor(backend: tf.KernelBackend) {
    this.moved = new tf.DataStorage(backend, tf.engine());
  }

  /** A new data id. */
  add(entry: Pick<Entry, "value" | "foreign">): tf.DataId {
    this.own++;
    return new OwnId(this, entry);
  }

  /** For a data id that TensorFlow.js gives. */
  set(dataId: tf.DataId, entry: Entry): void {
    this.moved.set(dataId, entry);
  }

  /** The entry; data that lies with another backend is moved here. */
  get(dataId: tf.DataId): Entry {
    return this.isOwn(dataId) ? dataId : this.moved.get(dataId);
  }

  has(dataId: tf.DataId): boolean {
    return this.isOwn(dataId) || this.moved.has(dataId);
  }

  delete(dataId: tf.DataId): void {
    if (!this.isOwn(dataId)) {
      this.moved.delete(dataId);
      return;
    }
    this.own--;
    dataId.table = undefined;
    // A disposed tensor keeps its data id.
    dataId.value = undefined;
    dataId.foreign = undefined;
  }

  get count(): number {
    return this.own + this.moved.numDataIds();
  }

  private isOwn(dataId: tf.DataId): dataId is OwnId {
    return dataId instanceof OwnId && dataId.table === this;
  }
}

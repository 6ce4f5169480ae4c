import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Tensor } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { type HostTensor, readSafetensors } from "../../src/model/safetensors.js";
import type { ModelInputs } from "../../src/model/types.js";

/** The committed figures; the compiled test lies in dist/test/model. */
export const figures = (...path: string[]): string =>
  fileURLToPath(new URL(`../../../test/reference/gemma2-tiny/${path.join("/")}`, import.meta.url));

export const scratchFolder = (): string => mkdtempSync(join(tmpdir(), "kaisetsu-model-"));

export interface Forward {
  inputs: Required<ModelInputs>;
  logits: HostTensor;
  loss: number;
  mask: HostTensor;
  /** By parameter name, as in the adapter file or the state dict. */
  gradients: Map<string, HostTensor>;
}

export async function forwardFigures(name: string): Promise<Forward> {
  const tensors = await readSafetensors(figures(`${name}.safetensors`));
  const input = (key: string) => {
    const { values, shape } = tensors.get(key)!;
    return tf.tensor2d(values as Int32Array, shape as [number, number], "int32");
  };
  const gradients = new Map<string, HostTensor>();
  for (const [key, tensor] of tensors) {
    if (key.startsWith("grad.")) gradients.set(key.slice("grad.".length).replace(".default", ""), tensor);
  }
  return {
    inputs: {
      input_ids: input("input_ids"),
      attention_mask: input("attention_mask"),
      labels: input("labels"),
    },
    logits: tensors.get("logits")!,
    loss: tensors.get("loss")!.values[0]!,
    mask: tensors.get("attention_mask")!,
    gradients,
  };
}

/** Largest distance where `mask` (one number a row of `width`) is 1. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>, mask?: HostTensor): number {
  assert.equal(actual.length, expected.length);
  const width = mask ? actual.length / mask.values.length : 1;
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    if (mask && mask.values[Math.floor(i / width)] === 0) continue;
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/** Norm of the difference relative to the norm of what was expected. */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < actual.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** Runs `body` and checks that it leaves no tensor behind. */
export async function withoutLeaks<T>(body: () => Promise<T>): Promise<T> {
  const before = tf.memory().numTensors;
  const result = await body();
  assert.equal(tf.memory().numTensors, before, "tensors leaked");
  return result;
}

export const values = (tensor: Tensor): Float32Array => tensor.dataSync() as Float32Array;

import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Tensor } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { type HostTensor, readSafetensors } from "../../src/model/files/safetensors.js";
import type { CausalLM, ModelInputs, NamedTensors, StepOptions } from "../../src/model/types.js";

/** The committed figures; the compiled test lies in dist/test/model. */
export const reference = (...path: string[]): string =>
  fileURLToPath(new URL(`../../../test/reference/${path.join("/")}`, import.meta.url));
export const figures = (...path: string[]): string => reference("gemma2-tiny", ...path);

export const scratchFolder = (): string => mkdtempSync(join(tmpdir(), "kaisetsu-model-"));

export interface Forward {
  inputs: ModelInputs & Required<Pick<ModelInputs, "labels">>;
  logits: HostTensor;
  loss: number;
  mask: HostTensor | undefined;
  /** By parameter name, as in the adapter file or the state dict. */
  gradients: Map<string, HostTensor>;
}

export const forwardFigures = (name: string): Promise<Forward> => forwardOf(figures(`${name}.safetensors`));

export async function forwardOf(path: string): Promise<Forward> {
  const tensors = await readSafetensors(path);
  const input = (key: string) => {
    const { values, shape } = tensors.get(key)!;
    return tf.tensor2d(values as Int32Array, shape as [number, number], "int32");
  };
  const gradients = new Map<string, HostTensor>();
  for (const [key, tensor] of tensors) {
    if (key.startsWith("grad.")) gradients.set(parameterName(key.slice("grad.".length)), tensor);
  }
  const input_ids = input("input_ids");
  const packed = tensors.has("position_ids");
  return {
    inputs: {
      input_ids,
      attention_mask: packed ? tf.onesLike(input_ids) : input("attention_mask"),
      labels: input("labels"),
      ...(packed && { position_ids: input("position_ids") }),
    },
    logits: tensors.get("logits")!,
    loss: tensors.get("loss")!.values[0]!,
    mask: tensors.get("attention_mask"),
    gradients,
  };
}

/**
 * torch's name of a PEFT parameter, as the adapter file and kaisetsu have it. (PEFT keeps DoRA's magnitude in a module of
 * its own, so that torch's name ends in `.weight`; the file's does not.)
 */
export const parameterName = (name: string): string =>
  name
    .replace(".modules_to_save", "")
    .replace(".default", "")
    .replace(/lora_magnitude_vector\.weight$/, "lora_magnitude_vector");

/** Mean loss and its gradients, as a training step takes them. */
export function lossAndGradients(model: CausalLM, inputs: ModelInputs, options: StepOptions = {}) {
  const params = model.trainableParameters();
  const names = Object.keys(params);
  const labels = inputs.labels!.arraySync();
  const count = labels.flatMap((row) => row.slice(1)).filter((label) => label !== -100).length;
  const named = (list: Tensor[]): NamedTensors => Object.fromEntries(names.map((name, i) => [name, list[i]!]));
  const { value, grads } = tf.valueAndGrads((...list: Tensor[]) =>
    tf.div(model.lossSum(named(list), inputs, options), count).asScalar(),
  )(Object.values(params));
  return { loss: value, gradients: named(grads) };
}

/** Logits, loss and every gradient against a figure. */
export function assertForward(model: CausalLM, figure: Forward, options: StepOptions = {}): void {
  const { logits, loss } = model.forward(figure.inputs);
  const off = largestDifference(values(logits), figure.logits.values, figure.mask);
  assert.ok(off < 1e-4, `logits are ${off} off`);
  assert.ok(Math.abs(values(loss!)[0]! - figure.loss) < 1e-5, "loss");
  const step = lossAndGradients(model, figure.inputs, options);
  assert.ok(Math.abs(values(step.loss)[0]! - figure.loss) < 1e-5, "loss of the step");
  assert.deepEqual(Object.keys(step.gradients).sort(), [...figure.gradients.keys()].sort());
  for (const [name, expected] of figure.gradients) {
    const difference = relativeDifference(values(step.gradients[name]!), expected.values);
    assert.ok(difference < 1e-5, `gradient of ${name} is ${difference} off`);
  }
  tf.dispose([logits, loss!, step.loss, ...Object.values(step.gradients)]);
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

import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import "../../../src/engine/onnx/index.js";

/** Plain numbers, so that both backends start from the same. */
export interface Operand {
  shape: number[];
  dtype: "float32" | "int32" | "bool";
  values: number[];
}

type Compute = (...operands: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

/** Computes on the cpu backend and on onnx, and asserts the same types, shapes and values. */
export async function assertSameAsCpu(compute: Compute, operands: Operand[], tolerance = 1e-5): Promise<void> {
  const expected = await results("cpu", compute, operands);
  const actual = await results("onnx", compute, operands);
  assert.equal(actual.length, expected.length, "number of results");
  for (const [i, want] of expected.entries()) {
    const got = actual[i]!;
    assert.deepEqual([got.dtype, got.shape], [want.dtype, want.shape], `type and shape of result ${i}`);
    assertClose(got.values, want.values, tolerance);
  }
}

export function assertClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): void {
  assert.equal(got.length, want.length, "number of elements");
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i]!, want[i]!];
    if (Object.is(g, w) || g === w || (Number.isNaN(g) && Number.isNaN(w))) continue;
    const allowed = tolerance * Math.max(1, Math.abs(w));
    assert.ok(Math.abs(g - w) <= allowed, `element ${i}: ${g} instead of ${w}`);
  }
}

async function results(backend: string, compute: Compute, operands: Operand[]) {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const made = operands.map(({ values, shape, dtype }) => tf.tensor(values, shape, dtype));
  const outputs = [tf.tidy(() => compute(...made))].flat();
  const read = [];
  for (const output of outputs) {
    read.push({ dtype: output.dtype, shape: output.shape, values: Array.from(await output.data()) });
  }
  tf.dispose([...made, ...outputs]);
  assert.equal(tf.memory().numTensors, before, `tensors left on ${backend}`);
  return read;
}

/** A small linear congruential generator: the same numbers on every run. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function floats(seed: number, shape: number[], low = -2, high = 2): Operand {
  const next = randomNumbers(seed);
  return { shape, dtype: "float32", values: fillWith(shape, () => low + (high - low) * next()) };
}

export function ints(seed: number, shape: number[], low = -5, high = 5): Operand {
  const next = randomNumbers(seed);
  return { shape, dtype: "int32", values: fillWith(shape, () => Math.floor(low + (high - low) * next())) };
}

export function bools(seed: number, shape: number[]): Operand {
  const next = randomNumbers(seed);
  return { shape, dtype: "bool", values: fillWith(shape, () => (next() < 0.5 ? 0 : 1)) };
}

function fillWith(shape: number[], make: () => number): number[] {
  return Array.from({ length: shape.reduce((a, b) => a * b, 1) }, make);
}

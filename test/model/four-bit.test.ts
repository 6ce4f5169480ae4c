import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { useEngine } from "../../src/index.js";
import { roundTo } from "../../src/model/dtype.js";
import { readSafetensors } from "../../src/model/files/safetensors.js";
import { dequantize4bit, quantize4bit, restoreScales } from "../../src/model/four-bit/four-bit.js";
import { CODES, dynamicMap, nearestCode } from "../../src/model/four-bit/four-bit-codes.js";
import { fourBitTensors } from "../../src/model/four-bit/four-bit-files.js";
import { FourBitMatrix } from "../../src/model/four-bit/four-bit-linear.js";
import { referenceJson } from "../data/reference.js";
import { figures, reference, values, withoutLeaks } from "./reference.js";

const NAMES = ["square", "wide", "tall", "zeros_block"];
const nf4 = await readSafetensors(figures("nf4.safetensors"));
const figure = (name: string) => nf4.get(name)!.values;

test("the dynamic map is bitsandbytes', bit for bit", () => {
  const bytes = new Uint8Array(dynamicMap().buffer);
  assert.equal(
    createHash("sha256").update(bytes).digest("hex"),
    "e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c",
  );
});

for (const name of NAMES) {
  test(`NF4, plain and double, equals the figures bit for bit: ${name}`, () => {
    const weight = nf4.get(`${name}.weight`)!;
    const plain = quantize4bit(weight.values as Float32Array, weight.shape, { type: "nf4", double: false });
    assert.deepEqual(plain.packed, figure(`${name}.packed`));
    assert.deepEqual(restoreScales(plain.scales), figure(`${name}.absmax`));
    // -0 and 0 are the same value: a block of zeros has either.
    assert.ok(dequantize4bit(plain).every((value, i) => value === figure(`${name}.dequantized`)[i]));
    const double = quantize4bit(weight.values as Float32Array, weight.shape, { type: "nf4", double: true });
    assert.deepEqual(double.scales, {
      absmax_u8: figure(`${name}.absmax_u8`),
      nested_absmax: figure(`${name}.nested_absmax`),
      offset: figure(`${name}.offset`)[0],
    });
    assert.deepEqual(restoreScales(double.scales), figure(`${name}.absmax_restored`));
    assert.ok(dequantize4bit(double).every((value, i) => value === figure(`${name}.dequantized_double`)[i]));
  });
}

test("FP4: every code is its own nearest, and pivots lie between neighbours", () => {
  for (let code = 0; code < 16; code++) if (code !== 8) assert.equal(nearestCode(CODES.fp4[code]!, "fp4"), code);
  const sorted = [...CODES.fp4.slice(0, 8)].sort((a, b) => a - b);
  for (let i = 0; i + 1 < sorted.length; i++) {
    const middle = (sorted[i]! + sorted[i + 1]!) / 2;
    assert.equal(CODES.fp4[nearestCode(middle - 1e-4, "fp4")], sorted[i]);
    assert.equal(CODES.fp4[nearestCode(middle + 1e-4, "fp4")], sorted[i + 1]);
    assert.equal(CODES.fp4[nearestCode(-middle - 1e-4, "fp4")], -sorted[i + 1]!);
  }
  // sign, exponent, mantissa: 0b0011 is 1, 0b1111 is -1/4
  assert.equal(CODES.fp4[3], 1);
  assert.equal(CODES.fp4[15], -0.25);
});

test("an odd number of weights is filled up with the code of zero", () => {
  const { packed } = quantize4bit(Float32Array.of(1, -1, 1), [1, 3], { type: "nf4", double: false });
  assert.deepEqual([...packed], [0xf0, 0xf7]);
});

interface BitsAndBytesFigure {
  key: string;
  name: string;
  type: "nf4" | "fp4";
  double: boolean;
  shape: number[];
  dtype: "float32" | "bfloat16";
}
const real = await readSafetensors(reference("four-bit", "bitsandbytes.safetensors"));
for (const figure of referenceJson<BitsAndBytesFigure[]>("four-bit/bitsandbytes.json")) {
  const { key, name, shape, dtype } = figure;
  test(`bitsandbytes itself: codes, scales, decoded values and serialised tensors of ${key}`, () => {
    const weight = quantize4bit(real.get(`${name}/values`)!.values as Float32Array, shape, figure);
    const names = [...real.keys()].filter((name) => name.startsWith(`${key}/weight`));
    const tensors = fourBitTensors("weight", weight, dtype);
    assert.deepEqual([...tensors.keys()].sort(), names.map((name) => name.slice(key.length + 1)).sort());
    for (const [part, { dtype, shape, values }] of tensors) {
      assert.deepEqual({ dtype, shape, values }, real.get(`${key}/${part}`), part);
    }
    const decoded = dequantize4bit(weight);
    const expected = real.get(`${key}/decoded`)!.values;
    assert.ok(decoded.every((value, i) => roundTo(value, dtype) === expected[i]));
  });
}

for (const engine of ["cpu", "wasm", "onnx"] as const) {
  describe(`4-bit weights on ${engine}`, () => {
    for (const double of [false, true]) {
      test(`decode exactly and let gradients through (double: ${double})`, async () => {
        await useEngine(engine);
        await withoutLeaks(async () => {
          for (const type of ["nf4", "fp4"] as const) {
            // 7 x 30 ends inside a block
            for (const shape of [
              [512, 128],
              [7, 30],
            ] as [number, number][]) {
              const source = (figure("tall.weight") as Float32Array).slice(0, shape[0] * shape[1]);
              const weight = quantize4bit(source, shape, { type, double });
              const matrix = new FourBitMatrix(weight);
              const decoded = matrix.dequantize();
              const expected = dequantize4bit(weight);
              assert.ok(values(decoded).every((value, i) => value === expected[i]));
              const x = tf.randomNormal([5, shape[1]], 0, 1, "float32", 3) as Tensor2D;
              const [y, plain] = [matrix.linear(x), tf.matMul(x, decoded, false, true)];
              assert.deepEqual(values(y), values(plain));
              const run = (f: (x: Tensor) => Tensor) => tf.grad((x: Tensor) => tf.sum(tf.square(f(x))))(x);
              const [dx, dPlain] = [
                run((x) => matrix.linear(x as Tensor2D)),
                run((x) => tf.matMul(x as Tensor2D, decoded, false, true)),
              ];
              assert.deepEqual(values(dx), values(dPlain));
              tf.dispose([decoded, x, y, plain, dx, dPlain]);
              matrix.dispose();
            }
          }
        });
      });
    }
  });
}

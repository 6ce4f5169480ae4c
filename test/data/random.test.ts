import assert from "node:assert/strict";
import { test } from "node:test";
import { randomDropoutMask, randomNormal, randomUniform } from "kaisetsu";
import { philox4x32 } from "../../src/data/random/philox.js";

test("Philox4x32-10 gives the published known answers of Random123", () => {
  const cases: [counter: [number, number, number, number], key: [number, number], answer: number[]][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, key, answer] of cases) {
    const out = new Uint32Array(4);
    philox4x32(out, 0, ...counter, ...key);
    assert.deepEqual([...out], answer);
  }
});

test("a key always gives the same numbers, and another seed, name or step gives others", () => {
  const key = { seed: 42, name: "layers.0.q_proj", step: 3 };
  const values = randomUniform(key, 64);
  assert.deepEqual(randomUniform({ ...key }, 64), values);
  assert.deepEqual(randomUniform(key, 7), values.slice(0, 7));
  for (const other of [{ seed: 43 }, { seed: 42 + 2 ** 32 }, { name: "layers.1.q_proj" }, { step: 4 }]) {
    const shared = randomUniform({ ...key, ...other }, 64).filter((v, i) => v === values[i]).length;
    assert.equal(shared, 0, JSON.stringify(other));
  }
});

test("uniform, normal and dropout values have the moments that they should have", () => {
  const n = 100_000;
  const moments = (values: Float32Array) => {
    const mean = values.reduce((sum, v) => sum + v, 0) / n;
    return { mean, variance: values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n };
  };
  const uniform = moments(randomUniform({ seed: 1, name: "u" }, n));
  assert.ok(
    Math.abs(uniform.mean - 0.5) < 0.005 && Math.abs(uniform.variance - 1 / 12) < 0.001,
    JSON.stringify(uniform),
  );
  const normal = moments(randomNormal({ seed: 1, name: "n" }, n, 2, 3));
  assert.ok(Math.abs(normal.mean - 2) < 0.05 && Math.abs(normal.variance - 9) < 0.2, JSON.stringify(normal));
  const mask = randomDropoutMask({ seed: 1, name: "d" }, n, 0.1);
  assert.deepEqual([...new Set(mask)].sort(), [0, Math.fround(1 / 0.9)]);
  assert.ok(Math.abs(moments(mask).mean - 1) < 0.005);
});

test("a rate of 1, a negative seed or step is refused", () => {
  assert.throws(() => randomDropoutMask({ seed: 0, name: "d" }, 4, 1), /rate lies in \[0, 1\)/);
  assert.throws(() => randomUniform({ seed: -1, name: "d" }, 4), /seed must be/);
  assert.throws(() => randomUniform({ seed: 0, name: "d", step: Number.NaN }, 4), /step must be/);
});

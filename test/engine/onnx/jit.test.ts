import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { type Engine, type NamedTensors, useEngine } from "kaisetsu";

let engine: Engine;
before(async () => {
  engine = await useEngine("onnx");
});

describe("jit on onnx", () => {
  test("replays with new inputs, per shape, and leaves only its outputs", async () => {
    const w = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    let traced = 0;
    const step = engine.jit(({ x }: { x: tf.Tensor }) => {
      traced++;
      return { y: tf.matMul(x, w), sum: tf.sum(tf.square(x)) };
    });
    const before = tf.memory().numTensors;
    for (let i = 1; i <= 3; i++) {
      const x = tf.fill([i % 2 ? 2 : 3, 2], i);
      const { y, sum } = await step({ x });
      assert.deepEqual([...(await y.data())].slice(0, 2), [4 * i, 6 * i]);
      assert.equal(sum.dataSync()[0], i * i * x.size);
      tf.dispose([x, y, sum]);
    }
    assert.equal(traced, 3, "two shapes, and the second call of the first verified");
    assert.equal(tf.memory().numTensors, before);
    step.dispose();
    w.dispose();
  });

  test("gradients and an optimiser's state go round through outputs and inputs", async () => {
    const target = tf.tensor1d([1, -2, 3]);
    const step = engine.jit(({ w, rate }: { w: tf.Tensor; rate: tf.Tensor }) => {
      const { value, grad } = tf.valueAndGrad((w) => tf.sum(tf.square(tf.sub(w, target))))(w);
      return { loss: value, w: tf.sub(w, tf.mul(rate, grad)) };
    });
    let w: tf.Tensor = tf.zeros([3]);
    const losses = [];
    for (let i = 0; i < 20; i++) {
      const rate = tf.scalar(0.4 / (i + 1));
      const { loss, w: next } = await step({ w, rate });
      tf.dispose([w, rate]);
      w = next;
      losses.push(loss.dataSync()[0]!);
      loss.dispose();
    }
    assert.equal(losses[0], 14);
    assert.ok(losses.at(-1)! < 0.05, `loss ${losses.at(-1)}`);
    tf.dispose([w, target]);
    step.dispose();
  });

  test("deferred calls are asked for before the ones before them are done; a failure reaches the reader", async () => {
    const table = tf.range(0, 8);
    const step = engine.jit(
      ({ at }: { at: tf.Tensor }) => ({ at: tf.add(at, tf.scalar(1, "int32")), value: tf.gather(table, at) }),
      {
        deferred: true,
      },
    );
    let at: tf.Tensor = tf.tensor1d([5], "int32");
    const values = [];
    for (let i = 0; i < 4; i++) {
      const outputs = await step({ at });
      values.push(outputs.value.data());
      tf.dispose([at, outputs.value]);
      at = outputs.at;
    }
    const results = await Promise.allSettled(values);
    assert.deepEqual(
      results.map((result) => (result.status === "fulfilled" ? result.value[0] : result.reason.name)),
      [5, 6, 7, "OnnxRuntimeError"],
    );
    tf.dispose([at, table]);
    step.dispose();
  });

  test("outputs that are an input, a weight, a constant, or the same tensor twice are the caller's", async () => {
    const x = tf.tensor1d([1, 2]);
    const weight = tf.tensor1d([5, 6]);
    const step = engine.jit((inputs: { x: tf.Tensor }) => {
      const twice = tf.add(inputs.x, 1);
      return { same: inputs.x, weight, constant: tf.tensor1d([7, 8]), once: twice, again: twice };
    });
    for (let i = 0; i < 2; i++) {
      const outputs = await step({ x });
      const values = Object.values(outputs).map((output) => [...output.dataSync()]);
      assert.deepEqual(values, [
        [1, 2],
        [5, 6],
        [7, 8],
        [2, 3],
        [2, 3],
      ]);
      tf.dispose(outputs);
    }
    assert.deepEqual([...x.dataSync(), ...weight.dataSync()], [1, 2, 5, 6]);
    tf.dispose([x, weight]);
  });

  test("the event loop turns while a step computes", async () => {
    const x = tf.randomUniform([1000, 1000]);
    const step = engine.jit((inputs: { x: tf.Tensor }) => {
      let y = inputs.x;
      for (let i = 0; i < 5; i++) y = tf.matMul(y, inputs.x);
      return { y: tf.mean(y) };
    });
    tf.dispose(await step({ x }));
    let latest = performance.now();
    let longest = 0;
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - latest);
      latest = performance.now();
    }, 2);
    const start = performance.now();
    tf.dispose(await step({ x }));
    const took = performance.now() - start;
    clearInterval(timer);
    assert.ok(longest < took / 2, `the loop stood still for ${longest} of ${took} ms`);
    x.dispose();
  });
});

describe("what a replay would freeze is an error that names it", () => {
  const run = async (step: (inputs: { x: tf.Tensor }) => NamedTensors, times = 2) => {
    const x = tf.tensor1d([1, 2]);
    const before = tf.memory().numTensors;
    const replayed = engine.jit(step, { name: "train" });
    try {
      for (let i = 0; i < times; i++) tf.dispose(await replayed({ x }));
    } finally {
      assert.equal(tf.memory().numTensors, before, "a failed step leaves nothing behind");
      x.dispose();
      replayed.dispose();
    }
  };

  test("a variable read or assigned", async () => {
    const v = tf.variable(tf.tensor1d([1, 1]), true, "moment");
    await assert.rejects(
      run(({ x }) => ({ y: tf.add(x, v) })),
      /jit\(train\): Add reads the variable "moment"/,
    );
    await assert.rejects(
      run(({ x }) => {
        v.assign(tf.mul(x, 2) as tf.Tensor1D);
        return { x };
      }),
      /assigns the variable "moment"/,
    );
    v.assign(tf.tensor1d([2, 2]));
    assert.deepEqual([...v.dataSync()], [2, 2], "assigning works again outside");
    v.dispose();
  });

  test("a number that changes", async () => {
    let rate = 0.5;
    await assert.rejects(
      run(({ x }) => ({ y: tf.mul(x, rate--) })),
      /does not do the same on every call: it computed "Mul x float32\[\]0.5" and now "Mul x float32\[\]-0.5"/,
    );
    await assert.rejects(
      run(({ x }) => ({ y: tf.mul(x, tf.randomUniform([2])) })),
      /random mask/,
    );
    await assert.rejects(
      run(({ x }) => ({ y: tf.mul(tf.sum(x), tf.sum(tf.randomUniform([4000]))) })),
      /constant#/,
    );
  });

  test("a number that changes late, however long the step takes to record, at the very call", async () => {
    const x = tf.randomNormal([4, 4]);
    let rate = 1;
    const step = engine.jit(
      (inputs: { x: tf.Tensor }) => {
        let y = inputs.x;
        // Much to record, and next to nothing to compute.
        for (let i = 0; i < 500; i++) y = tf.neg(y);
        return { y: tf.mul(tf.mean(y), rate) };
      },
      { name: "train" },
    );
    for (let i = 0; i < 4; i++) tf.dispose(await step({ x }));
    rate = 2;
    const before = tf.memory().numTensors;
    await assert.rejects(step({ x }), /computed "Mul \S+ float32\[\]1" and now "Mul \S+ float32\[\]2"/);
    assert.equal(tf.memory().numTensors, before, "what was computed is gone");
    rate = 1;
    tf.dispose(await step({ x }));
    step.dispose();
    x.dispose();
  });

  test("a number that is an attribute, an axis, the contents of a range", async () => {
    let alpha = 3;
    await assert.rejects(
      run(({ x }) => ({ y: tf.leakyRelu(x, alpha--) })),
      /"LeakyRelu x \S*3\S*" and now "LeakyRelu x \S*2/,
    );
    let axis = 0;
    const square = tf.ones([3, 3]);
    await assert.rejects(
      run(() => ({ y: tf.cumsum(square, axis++) })),
      /CumSum/,
    );
    square.dispose();
    let start = 0;
    await assert.rejects(
      run(({ x }) => ({ y: tf.add(tf.sum(x), tf.range(start++, 3000 + start)) })),
      /constant#\w+" and now ".*constant#/,
    );
  });

  test("another tensor in the place of one that the step reads, and outputs that change places", async () => {
    const weights = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4])];
    let epoch = 0;
    await assert.rejects(
      run(({ x }) => ({ y: tf.mul(x, weights[epoch++]!) })),
      /"Mul x tensor#0\[2\]" and now "Mul x another tensor\[2\]"/,
    );
    let turn = 0;
    await assert.rejects(
      run(({ x }) => ({ y: weights[turn++]!, x })),
      /"output y\[2\] tensor#0\[2\]" and now "output y\[2\] another tensor/,
    );
    let swapped = true;
    await assert.rejects(
      run(({ x }) => {
        swapped = !swapped;
        const [a, b] = [tf.exp(x), tf.log(x)];
        return swapped ? { a: b, b: a } : { a, b };
      }),
      /does not do the same on every call/,
    );
    tf.dispose(weights);
  });

  test("calls at the same time are each checked", async () => {
    const x = tf.tensor1d([1, 2]);
    let rate = 1;
    const step = engine.jit((inputs: { x: tf.Tensor }) => ({ y: tf.mul(inputs.x, rate) }));
    const first = step({ x });
    rate = 2;
    const second = step({ x });
    await assert.rejects(second, /float32\[\]1" and now "Mul x float32\[\]2"/);
    const { y } = await first;
    assert.deepEqual([...y.dataSync()], [1, 2]);
    tf.dispose([x, y]);
    step.dispose();
  });

  test("a variable that is assigned between calls", async () => {
    const v = tf.variable(tf.tensor1d([1, 1]), true, "between");
    await assert.rejects(
      run(({ x }) => ({ y: tf.add(x, v.clone()) })),
      /reads the variable "between"/,
    );
    const copy = v.clone();
    const x = tf.tensor1d([1, 2]);
    const step = engine.jit((inputs: { x: tf.Tensor }) => ({ y: tf.add(inputs.x, copy) }));
    tf.dispose(await step({ x }));
    v.assign(tf.tensor1d([5, 5]));
    const { y } = await step({ x });
    assert.deepEqual([...y.dataSync()], [2, 3], "a clone is a tensor of its own, and stays as it was");
    tf.dispose([v, copy, x, y]);
    step.dispose();
  });

  test("a step that is said to be pure is recorded once, also by calls at the same time", async () => {
    let recorded = 0;
    const step = engine.jit(
      ({ x }: { x: tf.Tensor }) => {
        recorded++;
        return { y: tf.mul(x, 2) };
      },
      { pure: true },
    );
    const x = tf.tensor1d([1, 2]);
    const made = await Promise.all([step({ x }), step({ x })]);
    for (let i = 0; i < 4; i++) tf.dispose(await step({ x }));
    assert.equal(recorded, 1);
    assert.deepEqual(
      made.map(({ y }) => [...y.dataSync()]),
      [
        [2, 4],
        [2, 4],
      ],
    );
    step.dispose();
    tf.dispose([made.map(({ y }) => y), x]);
  });

  test("another branch", async () => {
    let calls = 0;
    await assert.rejects(
      run(({ x }) => ({ y: calls++ === 0 ? tf.exp(x) : tf.log(x) })),
      /computed "Exp x" and now "Log x"/,
    );
  });

  test("a read in the middle, and a kernel that only the cpu backend has", async () => {
    await assert.rejects(
      run(({ x }) => ({ y: tf.mul(x, tf.sum(x).dataSync()[0]!) })),
      /reads a tensor of shape \[\] in its middle/,
    );
    await assert.rejects(
      run(({ x }) => ({ y: tf.unique(x).values })),
      /uses Unique, which the onnx backend does not have/,
    );
  });

  test("a weight that was disposed", async () => {
    const weight = tf.tensor1d([3, 4]);
    const x = tf.tensor1d([1, 2]);
    const step = engine.jit((inputs: { x: tf.Tensor }) => ({ y: tf.mul(inputs.x, weight) }), { name: "train" });
    tf.dispose(await step({ x }));
    weight.dispose();
    await assert.rejects(step({ x }), /shape \[2\] that the step reads \(first in Multiply\) has been disposed/);
    x.dispose();
  });

  test("a tensor kept inside the step", async () => {
    const x = tf.tensor1d([1, 2]);
    let kept: tf.Tensor | undefined;
    const step = engine.jit((inputs: { x: tf.Tensor }) => {
      kept = tf.keep(tf.mul(inputs.x, 2));
      return { y: tf.add(kept, 1) };
    });
    await assert.rejects(step({ x }), /keeps a tensor of shape \[2\]/);
    tf.dispose([x, kept!]);
  });

  test("misuse: promise, wrong outputs, disposed input, disposed function, another engine", async () => {
    const wrong = (step: unknown) => run(step as (inputs: { x: tf.Tensor }) => NamedTensors);
    await assert.rejects(
      wrong(async () => ({})),
      /must be synchronous/,
    );
    await assert.rejects(
      wrong(() => tf.scalar(1)),
      /must return an object of named tensors/,
    );
    await assert.rejects(
      wrong(() => ({ loss: 3 })),
      /output "loss" is not a tensor/,
    );
    const x = tf.scalar(1);
    const ok = engine.jit((inputs: { x: tf.Tensor }) => ({ y: tf.add(inputs.x, 1) }));
    await useEngine("cpu");
    await assert.rejects(ok({ x }), /made for the backend "onnx", but "cpu" is current/);
    engine = await useEngine("onnx");
    ok.dispose();
    await assert.rejects(ok({ x }), /called after dispose/);
    x.dispose();
    const again = engine.jit((inputs: { x: tf.Tensor }) => ({ y: tf.add(inputs.x, 1) }));
    await assert.rejects(again({ x }), /input "x" has been disposed/);
  });
});

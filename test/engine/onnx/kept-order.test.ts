import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { type Engine, useEngine } from "kaisetsu";
import { inKeptOrder } from "../../../src/engine/onnx/kept-order.js";
import type { NodeSpec } from "../../../src/engine/onnx/protobuf.js";

let engine: Engine;
before(async () => {
  engine = await useEngine("onnx");
});

const node = (op: string, inputs: string[], output: string): NodeSpec => ({
  op,
  domain: "",
  inputs,
  outputs: [output],
});

/** Two sums over the same parts. */
function twoSums(parts: number): { nodes: NodeSpec[]; bytes: Map<string, number> } {
  const nodes: NodeSpec[] = [];
  const bytes = new Map<string, number>();
  for (let i = 0; i < parts; i++) {
    nodes.push(node("Tanh", ["x"], `part${i}`), node("Exp", [`part${i}`], `power${i}`));
    nodes.push(node("ReduceSum", [`part${i}`], `a${i}`), node("ReduceSum", [`power${i}`], `b${i}`));
    if (i > 0)
      nodes.push(node("Add", [`as${i - 1}`, `a${i}`], `as${i}`), node("Add", [`bs${i - 1}`, `b${i}`], `bs${i}`));
    else nodes.push(node("Neg", ["a0"], "as0"), node("Neg", ["b0"], "bs0"));
    bytes.set(`part${i}`, 2 ** 22).set(`power${i}`, 2 ** 22);
  }
  nodes.push(node("Mul", [`as${parts - 1}`, `bs${parts - 1}`], "y"));
  return { nodes, bytes };
}

describe("the order of computation", () => {
  test("a graph that is computed as recorded is only numbered in reverse", () => {
    const { nodes, bytes } = twoSums(3);
    assert.deepEqual(inKeptOrder(nodes, bytes), nodes.toReversed());
  });

  test("of two sums over many parts neither runs ahead, if the parts are large", () => {
    const { nodes, bytes } = twoSums(40);
    const numbered = inKeptOrder(nodes, bytes);
    const { op, inputs } = numbered.at(-1)!;
    assert.equal(op, "Concat");
    for (const held of ["shape_b0", "shape_b25"]) assert.ok(inputs.includes(held), `${held}: the second sum's part`);
    const recorded = nodes.map(({ outputs }) => `shape_${outputs[0]}`);
    assert.deepEqual(
      inputs,
      recorded.filter((shape) => inputs.includes(shape)),
      "in their turn",
    );
    assert.deepEqual(inKeptOrder(nodes, new Map()), nodes.toReversed(), "small parts may wait");
  });

  test("ONNX Runtime follows: parts are gone when the next is computed", async () => {
    const x = tf.randomUniform([512, 2048], -1, 1, "float32", 1);
    const step = engine.jit(({ x }: { x: tf.Tensor }) => {
      let [a, b]: [tf.Tensor, tf.Tensor] = [tf.scalar(0), tf.scalar(0)];
      for (let i = 0; i < 60; i++) {
        const part = tf.tanh(tf.add(x, i / 60));
        const power = tf.exp(part);
        a = tf.add(a, tf.sum(part));
        b = tf.add(b, tf.sum(power));
      }
      return { y: tf.mul(a, b) };
    });
    await x.data();
    const before = process.memoryUsage.rss();
    const { y } = await step({ x });
    const grown = process.memoryUsage.rss() - before;
    // All parts of one sum at once would be 250 MB.
    assert.ok(grown < 100e6, `${Math.round(grown / 1e6)} MB`);
    tf.dispose([x, y]);
    step.dispose();
  });
});

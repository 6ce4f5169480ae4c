import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { addedProducts } from "../../../src/engine/onnx/added-products.js";
import type { NodeSpec } from "../../../src/engine/onnx/protobuf.js";
import { assertSameAsCpu, floats } from "./compare.js";

const node = (op: string, inputs: string[], output: string, attributes?: NodeSpec["attributes"]): NodeSpec => ({
  op,
  domain: "",
  inputs,
  outputs: [output],
  attributes,
});
const shapes = new Map<string, number[]>(
  Object.entries({ x: [64, 6], a: [64, 2], b: [2, 6], wide: [64, 65], w: [65, 6] }),
);
for (const name of ["s", "r", "p", "out", "e"]) shapes.set(name, [64, 6]);
const operations = (nodes: NodeSpec[], outputs = ["out"]) =>
  addedProducts(nodes, shapes, new Set(outputs)).nodes.map(({ op }) => op);
const IN_PLACE = ["Unsqueeze", "Unsqueeze", "Unsqueeze", "FusedConv", "Squeeze"];

describe("a narrow product is added in place", () => {
  const sum = node("Tanh", ["x"], "s");
  const product = node("MatMul", ["a", "b"], "p");

  test("to what nobody else reads, on either side", () => {
    assert.deepEqual(operations([sum, product, node("Add", ["s", "p"], "out")]), ["Tanh", ...IN_PLACE]);
    assert.deepEqual(operations([sum, product, node("Add", ["p", "s"], "out")]), ["Tanh", ...IN_PLACE]);
    const reshaped = [sum, node("Reshape", ["s"], "r"), product, node("Add", ["r", "p"], "out")];
    assert.deepEqual(operations(reshaped), ["Tanh", "Reshape", ...IN_PLACE]);
  });

  test("but not to an input, to an output, or to what others read, reshaped or not", () => {
    const add = node("Add", ["s", "p"], "out");
    const untouched = (nodes: NodeSpec[], outputs?: string[]) =>
      assert.ok(!operations(nodes, outputs).includes("FusedConv"));
    untouched([product, node("Add", ["x", "p"], "out")]);
    untouched([sum, product, add], ["s", "out"]);
    untouched([sum, product, add], ["p", "out"]);
    untouched([sum, product, add, node("Exp", ["s"], "e")]);
    untouched([sum, node("Reshape", ["s"], "r"), product, node("Add", ["r", "p"], "out"), node("Exp", ["s"], "e")]);
  });

  test("and not where there are few rows, as in generation", () => {
    const few = new Map([...shapes].map(([name, shape]) => [name, shape[0] === 64 ? [1, ...shape.slice(1)] : shape]));
    const nodes = [sum, product, node("Add", ["s", "p"], "out")];
    assert.deepEqual(addedProducts(nodes, few, new Set(["out"])).nodes, nodes);
  });

  test("only where the shapes are equal, and the product is narrow and nothing but a product", () => {
    const untouched = (product: NodeSpec, other = sum) =>
      assert.ok(!operations([other, product, node("Add", ["s", "p"], "out")]).includes("FusedConv"));
    untouched(node("MatMul", ["wide", "w"], "p"));
    untouched(node("FusedMatMul", ["a", "b"], "p", { alpha: { float: 2 } }));
    untouched(node("FusedMatMul", ["a", "b"], "p", { transA: 1 }));
    shapes.set("s", [6]);
    untouched(product);
    shapes.set("s", [64, 6]);
  });

  for (const transposed of [false, true]) {
    test(`with the numbers of the cpu backend${transposed ? ", transposed" : ""}`, async () => {
      const operands = [
        floats(1, [70, 7]),
        floats(2, [7, 9]),
        floats(3, [70, 3]),
        floats(4, transposed ? [9, 3] : [3, 9]),
        floats(5, [70, 9]),
      ];
      await assertSameAsCpu((x, w, a, b, other) => {
        const narrow = () => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D, false, transposed);
        const product = () => tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D);
        const shared = product();
        return [
          tf.add(product(), narrow()),
          tf.add(tf.add(narrow(), product()), narrow()),
          tf.add(shared, narrow()),
          tf.mul(shared, 2),
          tf.add(other!, narrow()),
        ];
      }, operands);
    });
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeSpec } from "../../../src/engine/onnx/protobuf.js";
import { scaledProducts } from "../../../src/engine/onnx/scaled-products.js";

const node = (op: string, inputs: string[], output: string, attributes?: NodeSpec["attributes"]): NodeSpec => ({
  op,
  domain: "",
  inputs,
  outputs: [output],
  attributes,
});
const numbers = new Map([
  ["two", 2],
  ["three", 3],
]);
const fused = (nodes: NodeSpec[], outputs = ["out"]) =>
  scaledProducts(nodes, numbers, new Set(outputs)).map(({ op, inputs, outputs, attributes }) => {
    const alpha = attributes?.alpha;
    return `${outputs} = ${op} ${inputs}${typeof alpha === "object" && "float" in alpha ? ` ·${alpha.float}` : ""}`;
  });

test("factors before and behind a product go into it", () => {
  const nodes = [node("Mul", ["x", "two"], "s"), node("MatMul", ["s", "w"], "p"), node("Mul", ["three", "p"], "out")];
  assert.deepEqual(fused(nodes), ["out = FusedMatMul x,w ·6"]);
});

test("one that has other readers, or is an output, stays", () => {
  const product = node("MatMul", ["x", "w"], "p");
  const scaled = node("Mul", ["p", "two"], "out");
  assert.deepEqual(fused([product, scaled, node("Exp", ["p"], "e")]).length, 3);
  assert.deepEqual(fused([product, scaled], ["out", "p"]).length, 2);
  const twice = [node("Mul", ["x", "two"], "s"), node("MatMul", ["s", "s"], "out")];
  assert.deepEqual(fused(twice), ["s = Mul x,two", "out = MatMul s,s"]);
});

test("only products, and only numbers", () => {
  const nodes = [node("Mul", ["x", "y"], "s"), node("MatMul", ["s", "w"], "p"), node("Exp", ["p"], "e")];
  assert.deepEqual(fused([...nodes, node("Mul", ["e", "two"], "out")]).length, 4);
});

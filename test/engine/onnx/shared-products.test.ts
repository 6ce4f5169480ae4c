import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { program } from "../../../src/engine/onnx/program.js";
import { sharedProducts } from "../../../src/engine/onnx/shared-products.js";
import { emit, hostValue, type Value } from "../../../src/engine/onnx/values.js";

const x = hostValue([2, 8], "float32");
const w = hostValue([8, 3], "float32");
const narrow = hostValue([3, 2], "float32");
const product = (a: Value, b: Value) => emit("MatMul", [a, b], [a.shape[0]!, b.shape[1]!], "float32");
const layer = () => product(emit("Tanh", [x], [2, 8], "float32"), w);
const operations = (outputs: Value[], share: boolean) =>
  program(outputs, { share })
    .nodes.map(({ op }) => op)
    .join(" ");

describe("what gradient checkpointing computes again", () => {
  test("a repeated product is taken over, and what only it needed is gone", () => {
    const sum = emit("Add", [layer(), layer()], [2, 3], "float32");
    assert.equal(operations([sum], false), "Tanh MatMul Tanh MatMul Add");
    assert.equal(operations([sum], true), "Tanh MatMul Add");
  });

  test("what lies between products is computed again where it is needed", () => {
    const first = layer();
    const activation = emit("Tanh", [x], [2, 8], "float32");
    const again = product(activation, w);
    const gradient = emit("MatMul", [emit("Transpose", [activation], [8, 2], "float32"), again], [8, 3], "float32");
    assert.equal(operations([first, gradient], true), "Tanh MatMul Tanh Transpose MatMul");
  });

  test("products of other bytes, and of other shapes of the same bytes, stay", () => {
    const other = product(emit("Tanh", [hostValue([2, 8], "float32")], [2, 8], "float32"), w);
    assert.equal(operations([layer(), other], true), "Tanh MatMul Tanh MatMul");
  });

  test("outputs stay outputs", () => {
    assert.equal(operations([layer(), layer()], true), "Tanh MatMul Tanh MatMul");
  });

  test("with little room the longest sums are kept", () => {
    const chain = () => product(layer(), narrow);
    const outputs = [chain(), chain()];
    const { nodes } = program(outputs);
    const room = (bytes: number) => [...sharedProducts(nodes, bytes).keys()].map(({ shape }) => shape);
    assert.deepEqual(room(100), [
      [2, 3],
      [2, 2],
    ]);
    assert.deepEqual(room(30), [[2, 3]]);
    assert.deepEqual(room(10), []);
  });
});

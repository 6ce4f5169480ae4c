import type { Value } from "../values.js";
import { emit } from "../values.js";
import { type Binary, binary, broadcastShape, cast, type Kernels, scalar, unary } from "./kernel.js";

const add = (a: Value, b: Value) => binary("Add", a, b);
const sub = (a: Value, b: Value) => binary("Sub", a, b);
const mul = (a: Value, b: Value) => binary("Mul", a, b);
const div = (a: Value, b: Value) => binary("Div", a, b);

/** Element-wise kernels of two tensors that broadcast against each other. */
export const arithmeticKernels: Kernels = {
  Add: numeric(add),
  Sub: numeric(sub),
  Multiply: numeric(mul),
  RealDiv: ({ a, b }: Binary) => div(cast(a, "float32"), cast(b, "float32")),
  FloorDiv: ({ a, b }: Binary) => floorDiv(a, b),
  Mod: ({ a, b }: Binary) => mod(a, b),
  Pow: ({ a, b }: Binary) => binary("Pow", a, b),
  Maximum: numeric((a, b) => binary("Max", a, b)),
  Minimum: numeric((a, b) => binary("Min", a, b)),
  SquaredDifference: numeric((a, b) => {
    const difference = sub(a, b);
    return mul(difference, difference);
  }),
  AddN: (list: Value[]) => (list.length === 1 ? list[0]! : addN(list)),
  BitwiseAnd: ({ a, b }: Binary) => binary("BitwiseAnd", a, b),

  Equal: comparison("Equal"),
  NotEqual: ({ a, b }: Binary) => unary("Not", binary("Equal", a, b, "bool")),
  Greater: comparison("Greater"),
  GreaterEqual: comparison("GreaterOrEqual"),
  Less: comparison("Less"),
  LessEqual: comparison("LessOrEqual"),
  LogicalAnd: ({ a, b }: Binary) => binary("And", cast(a, "bool"), cast(b, "bool")),
  LogicalOr: ({ a, b }: Binary) => binary("Or", cast(a, "bool"), cast(b, "bool")),
  LogicalXor: ({ a, b }: Binary) => binary("Xor", cast(a, "bool"), cast(b, "bool")),
};

/** ONNX has no arithmetic of booleans; TensorFlow.js's cpu backend computes it in numbers and keeps the type. */
function numeric(op: (a: Value, b: Value) => Value): (inputs: Binary) => Value {
  return ({ a, b }) => (a.type === "bool" ? cast(op(cast(a, "int32"), cast(b, "int32")), "bool") : op(a, b));
}

function comparison(op: string): (inputs: Binary) => Value {
  return ({ a, b }) =>
    a.type === "bool" && op !== "Equal"
      ? binary(op, cast(a, "int32"), cast(b, "int32"), "bool")
      : binary(op, a, b, "bool");
}

/** Toward minus infinity, for integers too (ONNX's integer Div goes toward zero); an integer whatever it is given. */
function floorDiv(a: Value, b: Value): Value {
  if (a.type === "float32") return cast(unary("Floor", div(a, b)), "int32");
  const quotient = div(a, b);
  const remainder = sub(a, mul(quotient, b));
  const inexact = binary("Less", mul(remainder, b), scalar(0, "int32"), "bool");
  return sub(quotient, cast(inexact, "int32"));
}

/** The remainder has the divisor's sign. */
function mod(a: Value, b: Value): Value {
  if (a.type === "int32") return binary("Mod", a, b);
  const fmod = (x: Value, y: Value) => emit("Mod", [x, y], broadcastShape(x.shape, y.shape), "float32", { fmod: 1 });
  const remainder = fmod(a, b);
  const wrongSign = binary("Less", mul(remainder, b), scalar(0), "bool");
  return add(remainder, mul(cast(wrongSign, "float32"), b));
}

function addN(list: Value[]): Value {
  // ONNX's variadic Sum takes floats only.
  if (list[0]!.type === "float32") return emit("Sum", list, list[0]!.shape, "float32");
  return list.reduce(add);
}

import { emit, type Value } from "../values.js";
import { binary, cast, clip, fill, type Kernel, type Kernels, scalar, type Unary, unary, where } from "./kernel.js";

/** Element-wise kernels of one tensor. */
export const unaryKernels: Kernels = {
  ...same("Abs", "Neg"),
  Sign: inFloats((x) => where(emit("IsNaN", [x], x.shape, "bool"), scalar(0), unary("Sign", x))),
  ...float("Ceil", "Floor", "Round", "Relu"),
  Exp: ({ x }: Unary) => unary("Exp", cast(x, "float32")),
  Expm1: inFloats(expm1),
  Log1p: inFloats(log1p),
  ...float("Log", "Sqrt", "Reciprocal", "Tanh", "Sigmoid", "Erf", "Softplus", "Elu", "Selu"),
  ...float("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
  Cast: ({ x }: Unary, { dtype }: { dtype: Value["type"] }) => cast(x, dtype),
  Square: ({ x }: Unary) => binary("Mul", x, x),
  Rsqrt: inFloats((x) => unary("Reciprocal", unary("Sqrt", x))),
  Relu6: inFloats((x) => clip(x, 0, 6)),
  ClipByValue: ({ x }: Unary, attributes: { clipValueMin: number; clipValueMax: number }) =>
    clip(x, attributes.clipValueMin, attributes.clipValueMax),
  LeakyRelu: ({ x }: Unary, { alpha }: { alpha: number }) =>
    unary("LeakyRelu", cast(x, "float32"), { alpha: { float: alpha } }),
  Prelu: ({ x, alpha }: { x: Value; alpha: Value }) => prelu(cast(x, "float32"), cast(alpha, "float32")),
  Step: inFloats((x, { alpha }: { alpha: number }) => step(x, alpha)),
  EluGrad: ({ dy, y }: { dy: Value; y: Value }) => {
    const positive = binary("GreaterOrEqual", y, scalar(0), "bool");
    return where(positive, dy, binary("Mul", dy, binary("Add", y, scalar(1))));
  },
  LogicalNot: ({ x }: Unary) => unary("Not", cast(x, "bool")),
  IsNan: ({ x }: Unary) => emit("IsNaN", [cast(x, "float32")], x.shape, "bool"),
  IsInf: ({ x }: Unary) => emit("IsInf", [cast(x, "float32")], x.shape, "bool"),
  IsFinite: ({ x }: Unary) => isFinite(cast(x, "float32")),
  ZerosLike: ({ x }: Unary) => fill(x.shape, 0, x.type),
  OnesLike: ({ x }: Unary) => fill(x.shape, 1, x.type),
};

/** Kernels named alike in ONNX that keep the type. */
function same(...names: string[]): Kernels {
  return Object.fromEntries(names.map((name) => [name, ({ x }: Unary) => unary(name, x)]));
}

/** Kernels named alike in ONNX, which computes them in floats only. */
function float(...names: string[]): Kernels {
  return Object.fromEntries(names.map((name) => [name, inFloats((x) => unary(name, x))]));
}

/** The result has the input's type, as on the cpu backend: integers are cut off. */
function inFloats<A>(op: (x: Value, attributes: A) => Value): Kernel {
  return ({ x }: Unary, attributes: A) => cast(op(cast(x, "float32"), attributes), x.type);
}

/** `exp(x) - 1`, exact near zero too: tanh(x/2)·(exp(x) + 1). */
function expm1(x: Value): Value {
  const half = unary("Tanh", binary("Mul", x, scalar(0.5)));
  return binary("Mul", half, binary("Add", unary("Exp", x), scalar(1)));
}

/** `log(1 + x)`, exact near zero too: there 2·artanh(x / (2 + x)). */
function log1p(x: Value): Value {
  const ratio = binary("Div", x, binary("Add", x, scalar(2)));
  const near = binary("Mul", unary("Atanh", ratio), scalar(2));
  const isNear = binary("Less", unary("Abs", x), scalar(0.5), "bool");
  return where(isNear, near, unary("Log", binary("Add", x, scalar(1))));
}

function prelu(x: Value, alpha: Value): Value {
  return where(binary("Less", x, scalar(0), "bool"), binary("Mul", x, alpha), x);
}

/** 1 where positive, else `alpha`; what is not a number stays so. */
function step(x: Value, alpha: number): Value {
  const other = where(binary("LessOrEqual", x, scalar(0), "bool"), scalar(alpha), x);
  return where(binary("Greater", x, scalar(0), "bool"), scalar(1), other);
}

function isFinite(x: Value): Value {
  const infinite = emit("IsInf", [x], x.shape, "bool");
  const notANumber = emit("IsNaN", [x], x.shape, "bool");
  return unary("Not", binary("Or", infinite, notANumber));
}

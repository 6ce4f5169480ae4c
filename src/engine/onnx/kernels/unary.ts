import { emit, type Value } from "../values.js";
import { binary, cast, fill, type Kernel, type Kernels, scalar, type Unary, unary, where } from "./kernel.js";

/** Element-wise kernels of one tensor. */
export const unaryKernels: Kernels = {
  ...same("Abs", "Neg", "Sign"),
  ...float("Ceil", "Floor", "Round", "Relu"),
  Exp: ({ x }: Unary) => unary("Exp", cast(x, "float32")),
  ...float("Log", "Sqrt", "Reciprocal", "Tanh", "Sigmoid", "Erf", "Softplus", "Elu", "Selu"),
  ...float("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
  Identity: ({ x }: Unary) => x,
  Cast: ({ x }: Unary, { dtype }: { dtype: Value["type"] }) => cast(x, dtype),
  Square: ({ x }: Unary) => binary("Mul", x, x),
  Rsqrt: inFloats((x) => unary("Reciprocal", unary("Sqrt", x))),
  Relu6: inFloats((x) => clip(x, 0, 6)),
  ClipByValue: ({ x }: Unary, attributes: { clipValueMin: number; clipValueMax: number }) =>
    clip(x, attributes.clipValueMin, attributes.clipValueMax),
  LeakyRelu: inFloats((x, { alpha }: { alpha: number }) => unary("LeakyRelu", x, { alpha: { float: alpha } })),
  Prelu: ({ x, alpha }: { x: Value; alpha: Value }) => {
    const negative = binary("Less", x, scalar(0), "bool");
    return where(negative, binary("Mul", x, alpha), x);
  },
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

function clip(x: Value, low: number, high: number): Value {
  return emit("Clip", [x, scalar(low, x.type), scalar(high, x.type)], x.shape, x.type);
}

/** 1 where positive, else `alpha`. */
function step(x: Value, alpha: number): Value {
  const positive = cast(binary("Greater", x, scalar(0), "bool"), "float32");
  if (alpha === 0) return positive;
  return binary("Add", binary("Mul", positive, scalar(1 - alpha)), scalar(alpha));
}

function isFinite(x: Value): Value {
  const infinite = emit("IsInf", [x], x.shape, "bool");
  const notANumber = emit("IsNaN", [x], x.shape, "bool");
  return unary("Not", binary("Or", infinite, notANumber));
}

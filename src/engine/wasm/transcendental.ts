import {
  type Code,
  countLoop,
  type FunctionBuilder,
  f32,
  f32x4,
  i32,
  i32x4,
  type Local,
  type ModuleBuilder,
  v128,
} from "./assembler.js";

/** `exp(n, source, target)`, `tanh(...)`: n floats; addresses in bytes. */
export type UnaryFunction = (n: number, source: number, target: number) => void;

type MultiplyAdd = (a: Code, b: Code, c: Code) => Code;

/**
 * tfjs-wasm calls the C library for each element. These take four at a time, with the polynomials of Cephes (Moshier
 * 1989, expf.c and tanhf.c; relative error about 1e-7).
 */
export function defineTranscendental(module: ModuleBuilder, multiplyAdd: MultiplyAdd): void {
  defineUnary(module, "exp", (f) => {
    const exp = makeExp(f, multiplyAdd);
    return (x) => exp(x.get);
  });
  defineUnary(module, "tanh", (f) => {
    const exp = makeExp(f, multiplyAdd);
    const [square, small, size, large, sign] = f.locals("v128", 5) as [Local, Local, Local, Local, Local];
    const polynomial = horner(
      [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
      square.get,
      multiplyAdd,
    );
    return (x) => {
      const twice = f32x4.mul(f32x4.min(size.get, f32x4.const(10)), f32x4.const(2));
      const powers = exp(twice);
      return {
        prepare: [
          square.set(f32x4.mul(x.get, x.get)),
          small.set(multiplyAdd(f32x4.mul(polynomial, square.get), x.get, x.get)),
          size.set(f32x4.abs(x.get)),
          sign.set(v128.and(x.get, i32x4.const(-0x80000000))),
          ...powers.prepare,
          large.set(f32x4.sub(f32x4.const(1), f32x4.div(f32x4.const(2), f32x4.add(powers.value, f32x4.const(1))))),
        ],
        value: v128.select(small.get, v128.or(large.get, sign.get), f32x4.lt(size.get, f32x4.const(0.625))),
      };
    };
  });
}

/** A vector's value, and the code that must run before it. */
interface Computed {
  prepare: Code[];
  value: Code;
}

function makeExp(f: FunctionBuilder, multiplyAdd: MultiplyAdd): (x: Code) => Computed {
  const [input, n, r, half, p] = f.locals("v128", 5) as [Local, Local, Local, Local, Local];
  const powerOfTwo = (exponent: Code) => i32x4.shl(i32x4.add(exponent, i32x4.const(127)), 23);
  const polynomial = horner(
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
    r.get,
    multiplyAdd,
  );
  return (x) => ({
    prepare: [
      // Beyond these ends float32 has only 0 and infinity. NaN goes through.
      input.set(f32x4.max(f32x4.min(x, f32x4.const(89)), f32x4.const(-104))),
      n.set(f32x4.nearest(f32x4.mul(input.get, f32x4.const(Math.LOG2E)))),
      // x - n ln 2, with ln 2 in two parts, so that the first product is exact.
      r.set(f32x4.sub(input.get, f32x4.mul(n.get, f32x4.const(0.693359375)))),
      r.set(f32x4.sub(r.get, f32x4.mul(n.get, f32x4.const(-2.1219444e-4)))),
      p.set(f32x4.add(multiplyAdd(polynomial, f32x4.mul(r.get, r.get), r.get), f32x4.const(1))),
      n.set(i32x4.truncated(n.get)),
      // 2^128 is no float, though half of it times what is left may be.
      half.set(i32x4.shrSigned(n.get, 1)),
    ],
    value: f32x4.mul(f32x4.mul(p.get, powerOfTwo(half.get)), powerOfTwo(i32x4.sub(n.get, half.get))),
  });
}

function horner(coefficients: number[], x: Code, multiplyAdd: MultiplyAdd): Code {
  const [first, ...rest] = coefficients.map(f32x4.const) as [Code, ...Code[]];
  return rest.reduce((sum, coefficient) => multiplyAdd(sum, x, coefficient), first);
}

function defineUnary(module: ModuleBuilder, name: string, make: (f: FunctionBuilder) => (x: Local) => Computed): void {
  module.define(name, ["i32", "i32", "i32"], (f) => {
    const [count, source, target] = f.params as [Local, Local, Local];
    const i = f.local("i32");
    const x = f.local("v128");
    const { prepare, value } = make(f)(x);
    const advance = (bytes: number) =>
      [source, target].map((pointer) => pointer.set(i32.add(pointer.get, i32.const(bytes))));
    return [
      countLoop(
        i,
        i32.and(count.get, i32.const(-4)),
        4,
        x.set(v128.load(source.get)),
        ...prepare,
        v128.store(target.get, value),
        ...advance(16),
      ),
      countLoop(
        i,
        i32.and(count.get, i32.const(3)),
        1,
        x.set(v128.load32Splat(source.get)),
        ...prepare,
        f32.store(target.get, f32x4.extract(value, 0)),
        ...advance(4),
      ),
    ];
  });
}

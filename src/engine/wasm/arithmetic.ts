import { type Code, countLoop, f32, f32x4, i32, type Local, type ModuleBuilder, v128 } from "./assembler.js";

/** `add(n, a, b, target)`: n floats of each; `addScalar`: b is the address of one float. Addresses in bytes. */
export type BinaryFunction = (n: number, a: number, b: number, target: number) => void;

/** Sums, differences and products of tensors of one shape, and of a tensor with a number. */
export function defineArithmetic(module: ModuleBuilder): void {
  defineBinary(module, "add", f32x4.add, f32.add);
  defineBinary(module, "sub", f32x4.sub, f32.sub);
  defineBinary(module, "mul", f32x4.mul, f32.mul);
}

type Combine = (a: Code, b: Code) => Code;

function defineBinary(module: ModuleBuilder, name: string, vector: Combine, scalar: Combine): void {
  for (const one of [false, true]) {
    module.define(one ? `${name}Scalar` : name, new Array(4).fill("i32"), (f) => {
      const [count, a, b, target] = f.params as [Local, Local, Local, Local];
      const i = f.local("i32");
      const number = f.local("v128");
      const moving = one ? [a, target] : [a, b, target];
      const advance = (bytes: number) => moving.map((at) => at.set(i32.add(at.get, i32.const(bytes))));
      const vectorOfB = (offset: number) => (one ? number.get : v128.load(b.get, offset));
      return [
        ...(one ? [number.set(v128.load32Splat(b.get))] : []),
        countLoop(
          i,
          i32.and(count.get, i32.const(-16)),
          16,
          ...[0, 16, 32, 48].map((offset) =>
            v128.store(target.get, vector(v128.load(a.get, offset), vectorOfB(offset)), offset),
          ),
          ...advance(64),
        ),
        countLoop(
          i,
          i32.and(count.get, i32.const(15)),
          1,
          f32.store(target.get, scalar(f32.load(a.get), f32.load(b.get))),
          ...advance(4),
        ),
      ];
    });
  }
}

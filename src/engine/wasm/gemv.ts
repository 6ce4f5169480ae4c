import { type Code, countLoop, f32, f32x4, i32, type Local, type ModuleBuilder, v128, whileLoop } from "./assembler.js";

/** `gemvRows(n, depth, x, b, stride, y)` and `gemvColumns(...)`; addresses and the stride in bytes. */
export type GemvFunction = (n: number, depth: number, x: number, b: number, stride: number, y: number) => void;

type MultiplyAdd = (a: Code, b: Code, c: Code) => Code;
type Tuple6 = [Local, Local, Local, Local, Local, Local];

/**
 * One row times a matrix, for decoding one token at a time: here packing B would cost more than the product itself.
 * x is contiguous; `gemvRows` reads B transposed (row j of B gives y[j]), `gemvColumns` as it stands (row k is added).
 */
export function defineGemv(module: ModuleBuilder, multiplyAdd: MultiplyAdd): void {
  module.define("gemvRows", new Array(6).fill("i32"), (f) => {
    const [n, depth, x, b, stride, y] = f.params as Tuple6;
    const left = f.local("i32");
    const rowsAtOnce = (count: number): Code[] => {
      const rows = f.locals("i32", count);
      const sums = f.locals("v128", count);
      const totals = f.locals("f32", count);
      const [k, xAt] = f.locals("i32", 2) as [Local, Local];
      const xs = f.local("v128");
      const step = (bytes: number): Code[] =>
        [xAt, ...rows].map((pointer) => pointer.set(i32.add(pointer.get, i32.const(bytes))));
      return [
        xAt.set(x.get),
        ...rows.map((row, r) => row.set(i32.add(b.get, i32.mul(stride.get, i32.const(r))))),
        ...sums.map((sum) => sum.set(v128.zero())),
        countLoop(
          k,
          i32.and(depth.get, i32.const(-4)),
          4,
          xs.set(v128.load(xAt.get)),
          ...sums.map((sum, r) => sum.set(multiplyAdd(xs.get, v128.load(rows[r]!.get), sum.get))),
          ...step(16),
        ),
        ...totals.map((total, r) =>
          total.set([0, 1, 2, 3].map((lane) => f32x4.extract(sums[r]!.get, lane)).reduce((p, q) => f32.add(p, q))),
        ),
        countLoop(
          k,
          i32.and(depth.get, i32.const(3)),
          1,
          ...totals.map((total, r) =>
            total.set(f32.add(total.get, f32.mul(f32.load(xAt.get), f32.load(rows[r]!.get)))),
          ),
          ...step(4),
        ),
        ...totals.map((total, r) => f32.store(y.get, total.get, 4 * r)),
        y.set(i32.add(y.get, i32.const(4 * count))),
        b.set(i32.add(b.get, i32.mul(stride.get, i32.const(count)))),
        left.set(i32.sub(left.get, i32.const(count))),
      ];
    };
    return [
      left.set(n.get),
      whileLoop(i32.ge(left.get, i32.const(8)), ...rowsAtOnce(8)),
      whileLoop(left.get, ...rowsAtOnce(1)),
    ];
  });

  module.define("gemvColumns", new Array(6).fill("i32"), (f) => {
    const [n, depth, x, b, stride, y] = f.params as Tuple6;
    const [left, k, row, xAt] = f.locals("i32", 4) as [Local, Local, Local, Local];
    const next = (columns: number): Code[] => [
      y.set(i32.add(y.get, i32.const(4 * columns))),
      b.set(i32.add(b.get, i32.const(4 * columns))),
      left.set(i32.sub(left.get, i32.const(columns))),
    ];
    const overDepth = (...body: Code[]): Code[] => [
      row.set(b.get),
      xAt.set(x.get),
      countLoop(
        k,
        depth.get,
        1,
        ...body,
        row.set(i32.add(row.get, stride.get)),
        xAt.set(i32.add(xAt.get, i32.const(4))),
      ),
    ];
    const vectorsAtOnce = (count: number): Code[] => {
      const sums = f.locals("v128", count);
      const xs = f.local("v128");
      return [
        ...sums.map((sum) => sum.set(v128.zero())),
        ...overDepth(
          xs.set(v128.load32Splat(xAt.get)),
          ...sums.map((sum, v) => sum.set(multiplyAdd(xs.get, v128.load(row.get, 16 * v), sum.get))),
        ),
        ...sums.map((sum, v) => v128.store(y.get, sum.get, 16 * v)),
        ...next(4 * count),
      ];
    };
    const sum = f.local("f32");
    return [
      left.set(n.get),
      whileLoop(i32.ge(left.get, i32.const(32)), ...vectorsAtOnce(8)),
      whileLoop(i32.ge(left.get, i32.const(4)), ...vectorsAtOnce(1)),
      whileLoop(
        left.get,
        sum.set(f32.const(0)),
        ...overDepth(sum.set(f32.add(sum.get, f32.mul(f32.load(xAt.get), f32.load(row.get))))),
        f32.store(y.get, sum.get),
        ...next(1),
      ),
    ];
  });
}

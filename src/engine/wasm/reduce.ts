import { type Code, countLoop, f32, f32x4, i32, type Local, type ModuleBuilder, v128 } from "./assembler.js";

/** `sumRows(rows, columns, source, target)` and its like; addresses in bytes. Both sizes at least 1. */
export type ReduceFunction = (rows: number, columns: number, source: number, target: number) => void;

/** Sums and maxima of the rows, and of the columns, of a contiguous matrix. */
export function defineReductions(module: ModuleBuilder): void {
  defineRows(module, "sumRows", f32x4.add, f32.add, 0);
  defineRows(module, "maxRows", f32x4.max, f32.max, Number.NEGATIVE_INFINITY);
  defineColumns(module, "sumColumns", f32x4.add, f32.add);
  defineColumns(module, "maxColumns", f32x4.max, f32.max);
}

type Combine = (a: Code, b: Code) => Code;

function defineRows(module: ModuleBuilder, name: string, vector: Combine, scalar: Combine, neutral: number): void {
  module.define(name, new Array(4).fill("i32"), (f) => {
    const [rows, columns, source, target] = f.params as [Local, Local, Local, Local];
    const [row, i] = f.locals("i32", 2) as [Local, Local];
    // Four partial results hide the latency of one addition, and round less than one long sum.
    const parts = f.locals("v128", 4);
    const total = f.local("f32");
    const advance = (bytes: number) => source.set(i32.add(source.get, i32.const(bytes)));
    const lanes = f.local("v128");
    return [
      countLoop(
        row,
        rows.get,
        1,
        ...parts.map((part) => part.set(f32x4.const(neutral))),
        countLoop(
          i,
          i32.and(columns.get, i32.const(-16)),
          16,
          ...parts.map((part, p) => part.set(vector(part.get, v128.load(source.get, 16 * p)))),
          advance(64),
        ),
        lanes.set(parts.map((part) => part.get).reduce(vector)),
        total.set([0, 1, 2, 3].map((lane) => f32x4.extract(lanes.get, lane)).reduce(scalar)),
        countLoop(
          i,
          i32.and(columns.get, i32.const(15)),
          1,
          total.set(scalar(total.get, f32.load(source.get))),
          advance(4),
        ),
        f32.store(target.get, total.get),
        target.set(i32.add(target.get, i32.const(4))),
      ),
    ];
  });
}

function defineColumns(module: ModuleBuilder, name: string, vector: Combine, scalar: Combine): void {
  module.define(name, new Array(4).fill("i32"), (f) => {
    const [rows, columns, source, target] = f.params as [Local, Local, Local, Local];
    const [row, i, to] = f.locals("i32", 3) as [Local, Local, Local];
    const pass = (vectorStore: (value: Code) => Code, scalarStore: (value: Code) => Code): Code[] => {
      const step = (bytes: number) => [source, to].map((at) => at.set(i32.add(at.get, i32.const(bytes))));
      return [
        to.set(target.get),
        countLoop(i, i32.and(columns.get, i32.const(-4)), 4, vectorStore(v128.load(source.get)), ...step(16)),
        countLoop(i, i32.and(columns.get, i32.const(3)), 1, scalarStore(f32.load(source.get)), ...step(4)),
      ];
    };
    return [
      ...pass(
        (value) => v128.store(to.get, value),
        (value) => f32.store(to.get, value),
      ),
      countLoop(
        row,
        i32.sub(rows.get, i32.const(1)),
        1,
        ...pass(
          (value) => v128.store(to.get, vector(v128.load(to.get), value)),
          (value) => f32.store(to.get, scalar(f32.load(to.get), value)),
        ),
      ),
    ];
  });
}

import {
  type Code,
  countLoop,
  doWhile,
  f32,
  f32x4,
  i32,
  ifElse,
  type Local,
  type ModuleBuilder,
  v128,
} from "./assembler.js";

/**
 * The matrix product C = A B in 32-bit floats, the BLIS way: blocks of A and B are copied ("packed") into the order in
 * which the innermost loop reads them, so any transposition costs one pass over the operands and nothing after.
 *
 * Sizes: a tile of C (tileRows x tileColumns) stays in registers; blockDepth x tileColumns of B stay in the first-level
 * cache, blockRows x blockDepth of A in the second. 16 columns are the fastest tile on x64 (Node 20), though the sums
 * fill all its registers; 8 columns waste less on a narrow C, such as the product with a LoRA matrix.
 */
const tileRows = 4;
const blockRows = 128;
const blockColumns = 1024;
const blockDepth = 256;

/** Bytes of scratch memory that a product wants: packed A, packed B, one tile of C. */
export const gemmScratchBytes = 4 * (blockRows * blockDepth + blockColumns * blockDepth + tileRows * 16);

export type GemmFunction = (
  rows: number,
  columns: number,
  depth: number,
  a: number,
  aRowStride: number,
  aDepthStride: number,
  b: number,
  bDepthStride: number,
  bColumnStride: number,
  c: number,
  cRowStride: number,
  scratch: number,
) => void;

/** Adds `name` (a `GemmFunction`; addresses and strides in bytes) to the module. C is overwritten. */
export function defineGemm(
  module: ModuleBuilder,
  name: string,
  tileColumns: 8 | 16,
  multiplyAdd: (a: Code, b: Code, c: Code) => Code,
): void {
  const packRows = definePack(module, `${name}PackRows`, tileRows);
  const packColumns = definePack(module, `${name}PackColumns`, tileColumns);
  const tile = defineTile(module, `${name}Tile`, tileColumns, multiplyAdd);
  const edgeTile = defineEdgeTile(module, `${name}EdgeTile`, tile, tileColumns);

  module.define(name, new Array(12).fill("i32"), (f) => {
    const [rows, columns, depth, a, aRow, aDepth, b, bDepth, bColumn, c, cRow, scratch] = f.params as Tuple12;
    const [column, k, row, tileColumn, tileRow, packedB, spare] = f.locals("i32", 7) as Tuple7;
    const [blockN, blockK, blockM, m, n, target] = f.locals("i32", 6) as Tuple6;
    return [
      packedB.set(i32.add(scratch.get, i32.const(4 * blockRows * blockDepth))),
      spare.set(i32.add(packedB.get, i32.const(4 * blockColumns * blockDepth))),
      countLoop(
        column,
        columns.get,
        blockColumns,
        setMin(blockN, i32.sub(columns.get, column.get), blockColumns),
        countLoop(
          k,
          depth.get,
          blockDepth,
          setMin(blockK, i32.sub(depth.get, k.get), blockDepth),
          packColumns(
            packedB.get,
            i32.add(b.get, i32.add(i32.mul(k.get, bDepth.get), i32.mul(column.get, bColumn.get))),
            blockN.get,
            blockK.get,
            bColumn.get,
            bDepth.get,
          ),
          countLoop(
            row,
            rows.get,
            blockRows,
            setMin(blockM, i32.sub(rows.get, row.get), blockRows),
            packRows(
              scratch.get,
              i32.add(a.get, i32.add(i32.mul(row.get, aRow.get), i32.mul(k.get, aDepth.get))),
              blockM.get,
              blockK.get,
              aRow.get,
              aDepth.get,
            ),
            countLoop(
              tileColumn,
              blockN.get,
              tileColumns,
              setMin(n, i32.sub(blockN.get, tileColumn.get), tileColumns),
              countLoop(
                tileRow,
                blockM.get,
                tileRows,
                setMin(m, i32.sub(blockM.get, tileRow.get), tileRows),
                target.set(
                  i32.add(
                    c.get,
                    i32.add(
                      i32.mul(i32.add(row.get, tileRow.get), cRow.get),
                      i32.shl(i32.add(column.get, tileColumn.get), 2),
                    ),
                  ),
                ),
                tileCall(),
              ),
            ),
          ),
        ),
      ),
    ];

    function tileCall(): Code {
      const packedRows = i32.add(scratch.get, i32.shl(i32.mul(tileRow.get, blockK.get), 2));
      const packedColumns = i32.add(packedB.get, i32.shl(i32.mul(tileColumn.get, blockK.get), 2));
      const whole = i32.and(i32.eq(m.get, i32.const(tileRows)), i32.eq(n.get, i32.const(tileColumns)));
      return ifElse(
        whole,
        [tile(packedRows, packedColumns, blockK.get, target.get, cRow.get, k.get)],
        [edgeTile(packedRows, packedColumns, blockK.get, target.get, cRow.get, k.get, m.get, n.get, spare.get)],
      );
    }
  });
}

type Tuple6 = [Local, Local, Local, Local, Local, Local];
type Tuple7 = [...Tuple6, Local];
type Tuple12 = [...Tuple6, ...Tuple6];

/**
 * pack(target, source, count, depth, stride, depthStride): the `count` vectors of length `depth` that lie `stride` apart,
 * in panels of `width` vectors; within a panel element k of every vector, then element k + 1. Short panels end in zeros.
 */
function definePack(module: ModuleBuilder, name: string, width: number): (...args: Code[]) => Code {
  return module.define(name, new Array(6).fill("i32"), (f) => {
    const [target, source, count, depth, stride, depthStride] = f.params as Tuple6;
    const [i, k, s, w, valid] = f.locals("i32", 5) as [Local, Local, Local, Local, Local];
    const rows = f.locals("v128", 4) as [Local, Local, Local, Local];
    const pairs = f.locals("v128", 4) as [Local, Local, Local, Local];
    const transposed = transpose4(rows, pairs);
    const groups = Array.from({ length: width / 4 }, (_, group) => group);
    const advance = (pointer: Local, bytes: Code) => pointer.set(i32.add(pointer.get, bytes));

    // Vectors lie side by side: copy.
    const copyPanel = [
      s.set(source.get),
      countLoop(
        k,
        depth.get,
        1,
        ...groups.map((group) => v128.store(target.get, v128.load(s.get, 16 * group), 16 * group)),
        advance(s, depthStride.get),
        advance(target, i32.const(4 * width)),
      ),
    ];

    // Each vector is contiguous: transpose four by four.
    const transposePanel = [
      s.set(source.get),
      k.set(i32.const(0)),
      countLoop(
        k,
        i32.and(depth.get, i32.const(-4)),
        4,
        ...groups.flatMap((group) => [
          ...rows.map((row, r) => row.set(v128.load(i32.add(s.get, i32.mul(stride.get, i32.const(4 * group + r)))))),
          ...transposed.prepare,
          ...transposed.columns.map((column, c) => v128.store(target.get, column, 4 * width * c + 16 * group)),
        ]),
        advance(s, i32.const(16)),
        advance(target, i32.const(16 * width)),
      ),
      countLoop(
        k,
        i32.and(depth.get, i32.const(3)),
        1,
        ...Array.from({ length: width }, (_, v) =>
          f32.store(target.get, f32.load(i32.add(s.get, i32.mul(stride.get, i32.const(v)))), 4 * v),
        ),
        advance(s, i32.const(4)),
        advance(target, i32.const(4 * width)),
      ),
    ];

    const anyPanel = [
      s.set(source.get),
      countLoop(
        k,
        depth.get,
        1,
        countLoop(
          w,
          i32.const(width),
          1,
          ifElse(
            i32.lt(w.get, valid.get),
            [f32.store(target.get, f32.load(i32.add(s.get, i32.mul(w.get, stride.get))))],
            [f32.store(target.get, f32.const(0))],
          ),
          advance(target, i32.const(4)),
        ),
        advance(s, depthStride.get),
      ),
    ];

    return [
      countLoop(
        i,
        count.get,
        width,
        setMin(valid, i32.sub(count.get, i.get), width),
        ifElse(i32.and(i32.eq(valid.get, i32.const(width)), i32.eq(stride.get, i32.const(4))), copyPanel, [
          ifElse(
            i32.and(i32.eq(valid.get, i32.const(width)), i32.eq(depthStride.get, i32.const(4))),
            transposePanel,
            anyPanel,
          ),
        ]),
        source.set(i32.add(source.get, i32.mul(stride.get, i32.const(width)))),
      ),
    ];
  });
}

/** Code that turns four rows of a 4 x 4 matrix into its columns; `prepare` goes through `pairs`. */
function transpose4(rows: Local[], pairs: Local[]): { prepare: Code[]; columns: Code[] } {
  const [r0, r1, r2, r3] = rows as [Local, Local, Local, Local];
  const [low01, low23, high01, high23] = pairs as [Local, Local, Local, Local];
  return {
    prepare: [
      low01.set(v128.shuffle32(r0.get, r1.get, [0, 4, 1, 5])),
      low23.set(v128.shuffle32(r2.get, r3.get, [0, 4, 1, 5])),
      high01.set(v128.shuffle32(r0.get, r1.get, [2, 6, 3, 7])),
      high23.set(v128.shuffle32(r2.get, r3.get, [2, 6, 3, 7])),
    ],
    columns: [
      v128.shuffle32(low01.get, low23.get, [0, 1, 4, 5]),
      v128.shuffle32(low01.get, low23.get, [2, 3, 6, 7]),
      v128.shuffle32(high01.get, high23.get, [0, 1, 4, 5]),
      v128.shuffle32(high01.get, high23.get, [2, 3, 6, 7]),
    ],
  };
}

/**
 * tile(rows, columns, depth, target, targetRow, accumulate): a full tile of C from a panel of A and a panel of B; added to
 * what is there when `accumulate` is not 0.
 */
function defineTile(
  module: ModuleBuilder,
  name: string,
  tileColumns: number,
  multiplyAdd: (a: Code, b: Code, c: Code) => Code,
): (...args: Code[]) => Code {
  return module.define(name, new Array(6).fill("i32"), (f) => {
    const [a, b, depth, target, targetRow, accumulate] = f.params as Tuple6;
    const k = f.local("i32");
    const vectors = tileColumns / 4;
    const sums = Array.from({ length: tileRows }, () => f.locals("v128", vectors));
    const columns = f.locals("v128", vectors);
    const row = f.local("v128");

    const step = (unrolled: number): Code[] => [
      ...columns.map((column, v) => column.set(v128.load(b.get, 4 * tileColumns * unrolled + 16 * v))),
      ...sums.flatMap((rowSums, r) => [
        row.set(v128.load32Splat(a.get, 4 * tileRows * unrolled + 4 * r)),
        ...rowSums.map((sum, v) => sum.set(multiplyAdd(row.get, columns[v]!.get, sum.get))),
      ]),
    ];
    const advance = (steps: number): Code[] => [
      a.set(i32.add(a.get, i32.const(4 * tileRows * steps))),
      b.set(i32.add(b.get, i32.const(4 * tileColumns * steps))),
    ];
    const unroll = 4;
    const countDown = k.set(i32.sub(k.get, i32.const(1)));

    const write = (value: (sum: Local, v: number) => Code): Code[] =>
      sums.flatMap((rowSums, r) => [
        ...rowSums.map((sum, v) => v128.store(target.get, value(sum, v), 16 * v)),
        ...(r + 1 < tileRows ? [target.set(i32.add(target.get, targetRow.get))] : []),
      ]);

    return [
      k.set(i32.shr(depth.get, 2)),
      ifElse(k.get, [doWhile([...[0, 1, 2, 3].flatMap(step), ...advance(unroll), countDown], k.get)]),
      k.set(i32.and(depth.get, i32.const(unroll - 1))),
      ifElse(k.get, [doWhile([...step(0), ...advance(1), countDown], k.get)]),
      ifElse(
        accumulate.get,
        write((sum, v) => f32x4.add(sum.get, v128.load(target.get, 16 * v))),
        write((sum) => sum.get),
      ),
    ];
  });
}

/** A tile at C's lower or right border: computed whole into `spare`, then its `rows` x `columns` corner copied out. */
function defineEdgeTile(
  module: ModuleBuilder,
  name: string,
  tile: (...args: Code[]) => Code,
  tileColumns: number,
): (...args: Code[]) => Code {
  return module.define(name, new Array(9).fill("i32"), (f) => {
    const [a, b, depth, target, targetRow, accumulate, rows, columns, spare] = f.params as [
      ...Tuple6,
      Local,
      Local,
      Local,
    ];
    const [r, c, from, to] = f.locals("i32", 4) as [Local, Local, Local, Local];
    const value = f32.load(from.get);
    return [
      tile(a.get, b.get, depth.get, spare.get, i32.const(4 * tileColumns), i32.const(0)),
      countLoop(
        r,
        rows.get,
        1,
        from.set(i32.add(spare.get, i32.mul(r.get, i32.const(4 * tileColumns)))),
        to.set(target.get),
        countLoop(
          c,
          columns.get,
          1,
          ifElse(accumulate.get, [f32.store(to.get, f32.add(value, f32.load(to.get)))], [f32.store(to.get, value)]),
          from.set(i32.add(from.get, i32.const(4))),
          to.set(i32.add(to.get, i32.const(4))),
        ),
        target.set(i32.add(target.get, targetRow.get)),
      ),
    ];
  });
}

function setMin(target: Local, value: Code, limit: number): Code {
  return [...target.set(value), ...ifElse(i32.gt(target.get, i32.const(limit)), [target.set(i32.const(limit))])];
}

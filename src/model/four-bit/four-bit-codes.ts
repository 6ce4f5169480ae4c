/**
 * The numbers of bitsandbytes' 4-bit types (Dettmers et al. 2023, QLoRA) and of its 8-bit dynamic map, as its CUDA kernels
 * have them: a value becomes the code above the last pivot that it strictly exceeds.
 */
export type FourBitType = "nf4" | "fp4";

export const CODES: Record<FourBitType, Float32Array> = {
  nf4: Float32Array.of(
    -1,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1,
  ),
  // Sign, two bits of exponent, one of mantissa; in units of 1/12. Code 8 is a plain zero in bitsandbytes' table.
  fp4: Float32Array.from([0, 0.0625, 8, 12, 4, 6, 2, 3, 0, -0.0625, -8, -12, -4, -6, -2, -3], (x) => x / 12),
};

const NF4_PIVOTS = Float32Array.of(
  -0.8480964004993439,
  -0.6106329262256622,
  -0.4599952697753906,
  -0.33967943489551544,
  -0.23460740596055984,
  -0.13791173323988914,
  -0.045525018125772476,
  0.03979014977812767,
  0.1202552504837513,
  0.2035212516784668,
  0.2920137718319893,
  0.3893125355243683,
  0.5016634166240692,
  0.6427869200706482,
  0.8614784181118011,
);

/** On the magnitude; `FP4_ORDER[i]` is the code above `FP4_PIVOTS[i - 1]`. */
const FP4_PIVOTS = Float32Array.of(0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333);
const FP4_ORDER = [0, 1, 6, 7, 4, 5, 2, 3];

/** The nibble of a value that has been scaled into [-1, 1]. */
export function nearestCode(x: number, type: FourBitType): number {
  if (type === "nf4") return countBelowFast(NF4_TABLE, x);
  return (x < 0 ? 8 : 0) | FP4_ORDER[countBelowFast(FP4_TABLE, Math.abs(x))]!;
}

interface PivotTable {
  pivots: Float32Array;
  /** For each cell of [-1, 1] how many pivots lie below it. */
  below: Uint8Array;
}

/** Cells in a unit: so fine that none holds two pivots. */
const CELLS = 1024;

const pivotTable = (pivots: Float32Array): PivotTable => ({
  // One more, which nothing exceeds.
  pivots: Float32Array.of(...pivots, Number.POSITIVE_INFINITY),
  below: Uint8Array.from({ length: 2 * CELLS + 2 }, (_, cell) => countBelow(pivots, cell / CELLS - 1)),
});

const NF4_TABLE = pivotTable(NF4_PIVOTS);
const FP4_TABLE = pivotTable(FP4_PIVOTS);

/** As `countBelow`, without a search: billions of weights go through here. */
function countBelowFast({ pivots, below }: PivotTable, x: number): number {
  const count = below[((x + 1) * CELLS) | 0]!;
  return x > pivots[count]! ? count + 1 : count;
}

/** How many of the sorted `pivots` are strictly less than `x`. */
export function countBelow(pivots: Float32Array, x: number): number {
  let low = 0;
  let high = pivots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x > pivots[middle]!) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The signed dynamic map, 256 sorted values: seven decades, each finer than the one below (Dettmers 2015). Computed in the
 * steps in which torch rounds, so that every bit agrees.
 */
export function dynamicMap(): Float32Array {
  const f32 = Math.fround;
  const values = [0, 1];
  for (let i = 0; i < 7; i++) {
    const count = 2 ** i + 1;
    const step = f32((1 - f32(0.1)) / 2 ** i);
    const boundary = (j: number) => f32(j < count >> 1 ? f32(0.1) + step * j : 1 - step * (count - 1 - j));
    for (let j = 0; j + 1 < count; j++) {
      const middle = f32(f32(boundary(j) + boundary(j + 1)) / 2);
      const value = f32(middle * f32(10 ** (i - 6)));
      values.push(value, -value);
    }
  }
  return Float32Array.from(values).sort();
}

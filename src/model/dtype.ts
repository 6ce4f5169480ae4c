/** The floating-point types that weights are stored in, by their torch names. Computation is always float32. */
export type FloatDtype = "float32" | "float16" | "bfloat16";

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The value of `x` after a cast to `dtype` and back, rounded to nearest even as torch does. */
export function roundTo(x: number, dtype: FloatDtype): number {
  if (dtype === "float32") return Math.fround(x);
  return dtype === "float16" ? halfToFloat(floatToHalf(x)) : bfloatToFloat(floatToBfloat(x));
}

export function floatToBfloat(x: number): number {
  scratch[0] = x;
  const bits = scratchBits[0]!;
  if (Number.isNaN(x)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function bfloatToFloat(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratch[0]!;
}

export function floatToHalf(x: number): number {
  scratch[0] = x;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds to 65536 or more: infinity
  if (magnitude >= 0x38800000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  if (magnitude < 0x33000000) return sign; // below half of the smallest subnormal
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounds `values` in place through `dtype`. */
export function roundArray(values: Float32Array, dtype: FloatDtype): Float32Array {
  if (dtype === "float32") return values;
  for (let i = 0; i < values.length; i++) values[i] = roundTo(values[i]!, dtype);
  return values;
}

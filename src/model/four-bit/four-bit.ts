import { pairwiseSum } from "../../data/random/pairwise-sum.js";
import { CODES, countBelow, dynamicMap, type FourBitType, nearestCode } from "./four-bit-codes.js";

/** Weights that share one scale. */
export const BLOCK = 64;
/** Scales that share one scale under double quantisation. */
export const NESTED_BLOCK = 256;

/** The scales of the blocks: as they are, or in 8 bits over a mean (double quantisation). */
export type Scales = { absmax: Float32Array } | { absmax_u8: Uint8Array; nested_absmax: Float32Array; offset: number };

/** A weight in 4 bits as bitsandbytes stores it. */
export interface FourBitWeight {
  type: FourBitType;
  shape: number[];
  /** Two codes a byte, the first in the high half; row-major. */
  packed: Uint8Array;
  scales: Scales;
}

/** Quantises as bitsandbytes does, bit for bit. `values` must already be rounded to the type that they are loaded in. */
export function quantize4bit(
  values: Float32Array,
  shape: number[],
  { type, double }: { type: FourBitType; double: boolean },
): FourBitWeight {
  const blocks = Math.ceil(values.length / BLOCK);
  const absmax = new Float32Array(blocks);
  const packed = new Uint8Array(Math.ceil(values.length / 2));
  for (let block = 0; block < blocks; block++) {
    const from = block * BLOCK;
    const to = Math.min(from + BLOCK, values.length);
    const scale = largest(values, from, to);
    absmax[block] = scale;
    const inverse = reciprocal(scale);
    for (let i = from; i < to; i++) {
      const code = nearestCode(Math.fround(values[i]! * inverse), type);
      packed[i >> 1]! |= i & 1 ? code : code << 4;
    }
  }
  // An odd number of weights is filled up with a zero.
  if (values.length % 2 === 1) packed[packed.length - 1]! |= nearestCode(0, type);
  return { type, shape, packed, scales: double ? quantizeScales(absmax) : { absmax } };
}

/** The scale of every block. */
export function restoreScales(scales: Scales): Float32Array {
  if ("absmax" in scales) return scales.absmax;
  const { absmax_u8, nested_absmax, offset } = scales;
  const map = dynamicMap();
  return Float32Array.from(absmax_u8, (code, i) => {
    return Math.fround(map[code]! * nested_absmax[Math.floor(i / NESTED_BLOCK)]!) + offset;
  });
}

/** The weight's values, as float32. */
export function dequantize4bit({ type, shape, packed, scales }: FourBitWeight): Float32Array {
  const absmax = restoreScales(scales);
  const codes = CODES[type];
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < values.length; i++) {
    const code = i & 1 ? packed[i >> 1]! & 15 : packed[i >> 1]! >> 4;
    values[i] = codes[code]! * absmax[Math.floor(i / BLOCK)]!;
  }
  return values;
}

function quantizeScales(absmax: Float32Array): Scales {
  const offset = Math.fround(pairwiseSum(absmax) / absmax.length);
  const map = dynamicMap();
  const pivots = Float32Array.from({ length: 255 }, (_, i) => Math.fround(map[i]! + map[i + 1]!) / 2);
  const rest = Float32Array.from(absmax, (scale) => scale - offset);
  const nested_absmax = new Float32Array(Math.ceil(absmax.length / NESTED_BLOCK));
  const absmax_u8 = new Uint8Array(absmax.length);
  for (let block = 0; block < nested_absmax.length; block++) {
    const from = block * NESTED_BLOCK;
    const to = Math.min(from + NESTED_BLOCK, absmax.length);
    nested_absmax[block] = largest(rest, from, to);
    const inverse = reciprocal(nested_absmax[block]!);
    for (let i = from; i < to; i++) absmax_u8[i] = countBelow(pivots, Math.fround(rest[i]! * inverse));
  }
  return { absmax_u8, nested_absmax, offset };
}

function largest(values: Float32Array, from: number, to: number): number {
  let most = 0;
  for (let i = from; i < to; i++) {
    const size = Math.abs(values[i]!);
    if (size > most) most = size;
  }
  return most;
}

/** A block of zeros has scale 0; its codes are those of 0, not NaN. */
const reciprocal = (scale: number): number => Math.fround(1 / Math.max(scale, Math.fround(1e-38)));

import { largeBuffer } from "../large-buffer.js";
import { philox4x32 } from "./philox.js";

/**
 * Random numbers that are a pure function of a key and a position: nothing to save, nothing to restore, and a resumed run
 * draws what the undisturbed one would have drawn. (For numbers that must equal torch's, see `TorchGenerator`.)
 */
export interface RandomKey {
  /** A non-negative integer. */
  seed: number;
  /** What the numbers are for, such as the name of a parameter or of a dropout mask. */
  name: string;
  /** The training step or micro-batch that they belong to. Default 0. */
  step?: number;
}

/** `length` float32 values in [0, 1), 24 random bits each. */
export function randomUniform(key: RandomKey, length: number): Float32Array {
  const words = randomWords(key, length);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = (words[i]! >>> 8) * 2 ** -24;
  return values;
}

/** `length` float32 values from the normal distribution (Box-Muller). */
export function randomNormal(key: RandomKey, length: number, mean = 0, std = 1): Float32Array {
  const even = length + (length % 2);
  const words = randomWords(key, even);
  // Each pair of numbers takes the place of the two words that it was made from.
  const values = new Float32Array(words.buffer, 0, even);
  for (let i = 0; i < even; i += 2) {
    // (word + 0.5) / 2^32 is never 0, whose logarithm is infinite.
    const radius = std * Math.sqrt(-2 * Math.log((words[i]! + 0.5) * 2 ** -32));
    const angle = 2 * Math.PI * words[i + 1]! * 2 ** -32;
    values[i] = mean + radius * Math.cos(angle);
    values[i + 1] = mean + radius * Math.sin(angle);
  }
  return values.subarray(0, length);
}

/**
 * An inverted-dropout mask: 0 with probability `rate`, else 1 / (1 - rate). What is drawn is how many elements are kept up
 * to the next that is dropped (a geometric distribution): a mask of rate 0.05 takes a twentieth of its length in numbers.
 * @throws RangeError unless 0 <= rate < 1
 */
export function randomDropoutMask(key: RandomKey, length: number, rate: number): Float32Array {
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`a dropout rate lies in [0, 1), got ${rate}`);
  const mask = new Float32Array(length).fill(1 / (1 - rate));
  if (rate === 0) return mask;
  const logKept = Math.log1p(-rate);
  const expected = length * rate;
  // More than seven standard deviations above the mean; should it not be enough, the same numbers come again and more.
  let words = randomWords(key, Math.ceil(expected + 7 * Math.sqrt(expected) + 16));
  for (let at = 0, drawn = 0; ; at++, drawn++) {
    if (drawn === words.length) words = randomWords(key, 2 * words.length);
    at += Math.floor(Math.log((words[drawn]! + 0.5) * 2 ** -32) / logKept);
    if (at >= length) return mask;
    mask[at] = 0;
  }
}

/** `length` 32-bit words: Philox over the counter [position, step, name, name] under the key [seed, seed]. */
export function randomWords({ seed, name, step = 0 }: RandomKey, length: number): Uint32Array {
  checkCount("seed", seed);
  checkCount("step", step);
  const [nameA, nameB] = hashName(name);
  const keyLow = (seed % 2 ** 32) | 0;
  const keyHigh = Math.floor(seed / 2 ** 32);
  const counter = (step % 2 ** 32) | 0;
  const whole = Math.ceil(length / 4) * 4;
  const words = new Uint32Array(largeBuffer(4 * whole), 0, whole);
  for (let at = 0; at < length; at += 4) {
    philox4x32(words, at, at >>> 2, counter, nameA, nameB, keyLow, keyHigh);
  }
  return words.subarray(0, length);
}

function checkCount(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${what} must be a non-negative integer, got ${value}`);
  }
}

/** 64 bits of a name: two runs of FNV-1a with different starts, each finished with MurmurHash3's mixer. */
function hashName(name: string): [number, number] {
  const hash = (start: number) => {
    let h = start;
    for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return h ^ (h >>> 16);
  };
  return [hash(0x811c9dc5), hash(0x9747b28c)];
}

import { checkSeed } from "./mt19937.js";

const MASK32 = 0xffffffffn;
const MASK64 = (1n << 64n) - 1n;
const MASK128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

/** O'Neill's PCG64 (XSL-RR, 128-bit state), seeded through numpy's SeedSequence: what `np.random.default_rng(seed)` draws from. */
export class PCG64 {
  private state = 0n;
  private readonly increment: bigint;
  /** The high half of a 64-bit draw waits here: numpy hands out the low half first. */
  private spare: number | undefined;

  constructor(seed: number) {
    const words = seedSequence(seed, 8);
    const uint64 = (i: number) => BigInt(words[2 * i]!) | (BigInt(words[2 * i + 1]!) << 32n);
    const initialState = (uint64(0) << 64n) | uint64(1);
    const sequence = (uint64(2) << 64n) | uint64(3);
    this.increment = ((sequence << 1n) | 1n) & MASK128;
    this.step();
    this.state = (this.state + initialState) & MASK128;
    this.step();
  }

  uint32(): number {
    if (this.spare !== undefined) {
      const high = this.spare;
      this.spare = undefined;
      return high;
    }
    this.step();
    const folded = (this.state >> 64n) ^ (this.state & MASK64);
    const rotation = this.state >> 122n;
    const word = ((folded >> rotation) | (folded << (64n - rotation))) & MASK64;
    this.spare = Number(word >> 32n);
    return Number(word & MASK32);
  }

  private step(): void {
    this.state = (this.state * MULTIPLIER + this.increment) & MASK128;
  }
}

/** numpy's SeedSequence with a pool of four words: spreads a seed over `count` 32-bit words. */
function seedSequence(seed: number, count: number): Uint32Array {
  checkSeed(seed);
  const entropy = [seed % 2 ** 32];
  if (seed >= 2 ** 32) entropy.push(Math.floor(seed / 2 ** 32));

  let hashConstant = 0x43b0d7e5;
  const hash = (value: number) => {
    let v = value ^ hashConstant;
    hashConstant = Math.imul(hashConstant, 0x931e8875);
    v = Math.imul(v, hashConstant);
    return v ^ (v >>> 16);
  };
  const mix = (x: number, y: number) => {
    const v = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) | 0;
    return v ^ (v >>> 16);
  };
  const pool = [0, 1, 2, 3].map((i) => hash(entropy[i] ?? 0));
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) {
      if (from !== to) pool[to] = mix(pool[to]!, hash(pool[from]!));
    }
  }

  let outputConstant = 0x8b51f9dd;
  return Uint32Array.from({ length: count }, (_, i) => {
    let v = pool[i % 4]! ^ outputConstant;
    outputConstant = Math.imul(outputConstant, 0x58f38ded);
    v = Math.imul(v, outputConstant);
    return v ^ (v >>> 16);
  });
}

const N = 624;
const M = 397;

/**
 * The Mersenne Twister (Matsumoto and Nishimura, 1998) as numpy's legacy generator and torch's CPU generator use it:
 * seeded from one 32-bit word, 32 bits a draw.
 */
export class MT19937 {
  private readonly state = new Uint32Array(N);
  private next = N;

  /** @param seed a non-negative integer; only its low 32 bits count, as in torch. */
  constructor(seed: number) {
    checkSeed(seed);
    this.state[0] = seed % 2 ** 32;
    for (let i = 1; i < N; i++) {
      const previous = this.state[i - 1]!;
      this.state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** The next word, an integer in [0, 2^32). */
  uint32(): number {
    if (this.next === N) this.twist();
    let y = this.state[this.next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  private twist(): void {
    const s = this.state;
    for (let i = 0; i < N; i++) {
      const y = (s[i]! & 0x80000000) | (s[(i + 1) % N]! & 0x7fffffff);
      s[i] = s[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }
}

/** @throws RangeError for anything but a non-negative safe integer: a NaN seed would silently give one fixed order. */
export function checkSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`seed must be a non-negative integer, got ${seed}`);
  }
}

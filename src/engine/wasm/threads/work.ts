import type { GemmFunction } from "../gemm.js";

/**
 * How the threads share work. One list of products ("chunks") is open at a time; every thread, the main one too, takes
 * the next chunk until none is left, so a thread that the system holds up delays one chunk and not a fixed share.
 */

/** Numbers of one chunk: the tile's width, then `GemmFunction`'s arguments without the scratch address. */
export type Chunk = readonly number[];
export const chunkLength = 12;
export const maxChunks = 512;

/** Places in the control array. */
export const control = {
  /** Changes with every list: what sleeping threads wait for. */
  list: 0,
  /** (list number mod 2^16) * 2^16 + next chunk: a thread that comes late cannot take a chunk of a newer list. */
  next: 1,
  count: 2,
  done: 3,
  /** Threads that are ready. */
  ready: 4,
  chunks: 8,
} as const;

export const controlBytes = 4 * (control.chunks + chunkLength * maxChunks);

export interface Gemms {
  gemm8: GemmFunction;
  gemm16: GemmFunction;
}

/** Computes chunks of list `list` until none is left. */
export function takeChunks(shared: Int32Array, list: number, gemms: Gemms, scratch: number): void {
  for (;;) {
    const next = Atomics.load(shared, control.next);
    const index = next & 0xffff;
    if (next >>> 16 !== (list & 0xffff)) return;
    const count = Atomics.load(shared, control.count);
    if (index >= count) return;
    if (Atomics.compareExchange(shared, control.next, next, next + 1) !== next) continue;
    compute(shared, control.chunks + chunkLength * index, gemms, scratch);
    if (Atomics.add(shared, control.done, 1) + 1 === count) Atomics.notify(shared, control.done);
  }
}

function compute(shared: Int32Array, at: number, gemms: Gemms, scratch: number): void {
  const [width, ...args] = shared.subarray(at, at + chunkLength) as unknown as [number, ...number[]];
  const gemm = width === 8 ? gemms.gemm8 : gemms.gemm16;
  gemm(...(args as [number, number, number, number, number, number, number, number, number, number, number]), scratch);
}

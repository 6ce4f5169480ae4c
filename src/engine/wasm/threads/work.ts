/**
 * How the threads share work. One list of calls ("chunks") is open at a time; every thread, the main one too, takes
 * the next chunk until none is left, so a thread that the system holds up delays one chunk and not a fixed share.
 */

/** The functions that a chunk may call. Products take the thread's scratch address after their other arguments. */
export const shareable = [
  "gemm8",
  "gemm16",
  "exp",
  "tanh",
  "add",
  "sub",
  "mul",
  "addScalar",
  "subScalar",
  "mulScalar",
] as const;
export type Shareable = (typeof shareable)[number];

/** A call: the function's place in `shareable`, then its arguments. */
export type Chunk = readonly number[];
export const chunkLength = 12;

export function chunk(name: Shareable, ...args: number[]): Chunk {
  return [shareable.indexOf(name), ...args];
}
export const maxChunks = 512;

export const maxThreads = 64;

/** Places in the control array. */
export const control = {
  /** Changes with every list: what sleeping threads wait for. */
  list: 0,
  /** (list number mod 2^16) * 2^16 + next chunk: a thread that comes late cannot take a chunk of a newer list. */
  next: 1,
  count: 2,
  done: 3,
  /** For each thread, 1 + the chunk that it computes; 0: none. */
  claims: 8,
  /** For each helper, the system's number of its thread. */
  threadNumbers: 8 + maxThreads,
  chunks: 8 + 2 * maxThreads,
} as const;

export const controlBytes = 4 * (control.chunks + chunkLength * maxChunks);

export type Functions = Record<Shareable, (...args: number[]) => void>;

/** One that computes: its place among the threads (0: the calling one), and its address for scratch. */
export interface Taker {
  place: number;
  scratch: number;
}

/** Computes chunks of list `list` until none is left. */
export function takeChunks(shared: Int32Array, list: number, functions: Functions, { place, scratch }: Taker): void {
  for (;;) {
    const next = Atomics.load(shared, control.next);
    const index = next & 0xffff;
    if (next >>> 16 !== (list & 0xffff)) return;
    const count = Atomics.load(shared, control.count);
    if (index >= count) return;
    if (Atomics.compareExchange(shared, control.next, next, next + 1) !== next) continue;
    Atomics.store(shared, control.claims + place, index + 1);
    compute(shared, index, functions, scratch);
    Atomics.store(shared, control.claims + place, 0);
    if (Atomics.add(shared, control.done, 1) + 1 === count) Atomics.notify(shared, control.done);
  }
}

export function compute(shared: Int32Array, index: number, functions: Functions, scratch: number): void {
  const at = control.chunks + chunkLength * index;
  const call = functions[shareable[shared[at]!]!];
  const arg = (i: number) => shared[at + 1 + i]!;
  // The longest list of arguments is a product's; WebAssembly ignores what is too much.
  if (shared[at]! < 2) {
    call(arg(0), arg(1), arg(2), arg(3), arg(4), arg(5), arg(6), arg(7), arg(8), arg(9), arg(10), scratch);
  } else call(arg(0), arg(1), arg(2), arg(3));
}

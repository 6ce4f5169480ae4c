import { setFlagsFromString } from "node:v8";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { type BinaryFunction, defineArithmetic } from "./arithmetic.js";
import { type Code, f32x4, ModuleBuilder } from "./assembler.js";
import { defineGemm, type GemmFunction, gemmScratchBytes } from "./gemm.js";
import { defineGemv, type GemvFunction } from "./gemv.js";
import { defineReductions, type ReduceFunction } from "./reduce.js";
import { Pool } from "./threads/pool.js";
import { type Functions, maxThreads } from "./threads/work.js";
import { defineTranscendental, type UnaryFunction } from "./transcendental.js";
import { type EmscriptenModule, WebAssembly } from "./webassembly.js";

/** Our own WebAssembly functions, working in the memory of tfjs's backend: tensors are shared, nothing is copied. */
export interface Native {
  /** For wide and for narrow C; see `GemmFunction`. */
  gemm16: GemmFunction;
  gemm8: GemmFunction;
  gemvRows: GemvFunction;
  gemvColumns: GemvFunction;
  exp: UnaryFunction;
  tanh: UnaryFunction;
  add: BinaryFunction;
  sub: BinaryFunction;
  mul: BinaryFunction;
  addScalar: BinaryFunction;
  subScalar: BinaryFunction;
  mulScalar: BinaryFunction;
  sumRows: ReduceFunction;
  maxRows: ReduceFunction;
  sumColumns: ReduceFunction;
  maxColumns: ReduceFunction;
  /** Address of `gemmScratchBytes` bytes. */
  scratch: number;
  /** Threads that help with large products; absent when there is only one. */
  pool?: Pool;
}

const instances = new WeakMap<BackendWasm, Native>();

/** @param threads counts only when the backend is new, and above 1 only in a shared heap */
export function nativeFor(backend: BackendWasm, threads = 1): Native {
  let native = instances.get(backend);
  if (!native) {
    native = instantiate(backend, threads);
    instances.set(backend, native);
  }
  return native;
}

/** Whether products use fused multiply-add: 1.2 times faster, and rounded once instead of twice. */
export function usesFusedMultiplyAdd(): boolean {
  return relaxedSimd();
}

function instantiate(backend: BackendWasm, threads: number): Native {
  const emscripten = backend.wasm as unknown as EmscriptenModule;
  const memory = (emscripten.wasmMemory ?? emscripten.asm.memory)!;
  // A page that is not isolated has no such class.
  const shared = typeof SharedArrayBuffer !== "undefined" && memory.buffer instanceof SharedArrayBuffer;
  const module = new WebAssembly.Module(kernelModule(relaxedSimd(), shared));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const functions = exports as Omit<Native, "scratch" | "pool">;
  const scratch = Array.from(
    { length: shared ? Math.min(threads, maxThreads) : 1 },
    () => emscripten._malloc(gemmScratchBytes) >>> 0,
  );
  const pool = scratch.length > 1 ? new Pool(module, memory, functions as unknown as Functions, scratch) : undefined;
  return { ...functions, scratch: scratch[0]!, pool };
}

function kernelModule(fused: boolean, shared: boolean): Uint8Array<ArrayBuffer> {
  const multiplyAdd = fused ? f32x4.relaxedMadd : (a: Code, b: Code, c: Code) => f32x4.add(f32x4.mul(a, b), c);
  const builder = new ModuleBuilder();
  defineGemm(builder, "gemm16", 16, multiplyAdd);
  defineGemm(builder, "gemm8", 8, multiplyAdd);
  defineGemv(builder, multiplyAdd);
  defineTranscendental(builder, multiplyAdd);
  defineArithmetic(builder);
  defineReductions(builder);
  return builder.build({ shared });
}

let relaxed: boolean | undefined;

/** Node 20's V8 has relaxed SIMD behind a flag that may be set while running; Node 22 has it on. */
function relaxedSimd(): boolean {
  if (relaxed === undefined && !validatesRelaxedSimd()) enableRelaxedSimd();
  relaxed ??= validatesRelaxedSimd();
  return relaxed;
}

function enableRelaxedSimd(): void {
  setFlagsFromString("--experimental-wasm-relaxed-simd");
}

function validatesRelaxedSimd(): boolean {
  const probe = new ModuleBuilder();
  probe.define("probe", ["v128"], ({ params: [x] }) => [f32x4.relaxedMadd(x!.get, x!.get, x!.get)], ["v128"]);
  return WebAssembly.validate(probe.build());
}

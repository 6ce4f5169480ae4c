/** What we use of `WebAssembly`, which TypeScript declares for browsers only. */
interface WebAssemblyApi {
  Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule;
  Instance: new (module: WasmModule, imports: { env: { memory: WasmMemory } }) => { exports: unknown };
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
}

export type WasmModule = object;

export const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi };

/** The parts of tfjs's Emscripten module that its declarations leave out. */
export interface EmscriptenModule {
  /** Exports the heap, where the module made it itself. */
  asm: { memory?: WasmMemory };
  /** The heap, where the module was given it. */
  wasmMemory?: WasmMemory;
  _malloc(bytes: number): number;
  cwrap(name: string, result: string | null, parameters: string[]): unknown;
  tfjs: unknown;
}

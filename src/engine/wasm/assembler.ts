/**
 * WebAssembly written as TypeScript: each function below returns the bytes of one instruction with its operands before
 * it, so that code nests like an expression. It covers what our kernels use, not the language.
 * Opcodes: https://webassembly.github.io/spec/core/appendix/index-instructions.html
 */
export type Code = number[];
export type ValueType = "i32" | "f32" | "v128";

const typeByte: Record<ValueType, number> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };
const voidBlock = 0x40;

export interface Local {
  get: Code;
  set(value: Code): Code;
}

/** A function under construction: its parameters come first, further locals as they are asked for. */
export class FunctionBuilder {
  readonly params: Local[];
  private readonly types: ValueType[];

  constructor(
    readonly index: number,
    readonly paramTypes: ValueType[],
    readonly resultTypes: ValueType[],
  ) {
    this.types = [...paramTypes];
    this.params = paramTypes.map((_, i) => localAt(i));
  }

  local(type: ValueType): Local {
    this.types.push(type);
    return localAt(this.types.length - 1);
  }

  locals(type: ValueType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** The function's entry of the code section. */
  encode(body: Code): Code {
    const own = this.types.slice(this.paramTypes.length);
    const declarations = [...unsigned(own.length), ...own.flatMap((type) => [1, typeByte[type]])];
    const content = [...declarations, ...body, 0x0b];
    return [...unsigned(content.length), ...content];
  }
}

/** A module that works in a memory imported as `env.memory` and exports every function under its name. */
export class ModuleBuilder {
  private readonly functions: { name: string; builder: FunctionBuilder; code: Code }[] = [];

  /** Adds a function. `define` gets its builder and returns its body; the result calls it from a later function. */
  define(
    name: string,
    paramTypes: ValueType[],
    define: (f: FunctionBuilder) => Code[],
    resultTypes: ValueType[] = [],
  ): (...args: Code[]) => Code {
    const builder = new FunctionBuilder(this.functions.length, paramTypes, resultTypes);
    this.functions.push({ name, builder, code: builder.encode(define(builder).flat()) });
    return (...args) => [...args.flat(), 0x10, ...unsigned(builder.index)];
  }

  /** `shared`: for a memory over a SharedArrayBuffer, whose import must state a maximum. */
  build(options: { shared?: boolean } = {}): Uint8Array<ArrayBuffer> {
    const limits = options.shared ? [0x03, 1, ...unsigned(65536)] : [0x00, 1];
    const types = this.functions.map(({ builder }) => [
      0x60,
      ...vector(builder.paramTypes.map((type) => [typeByte[type]])),
      ...vector(builder.resultTypes.map((type) => [typeByte[type]])),
    ]);
    return Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, vector(types)),
      ...section(2, vector([[...text("env"), ...text("memory"), 0x02, ...limits]])),
      ...section(3, vector(this.functions.map((_, i) => unsigned(i)))),
      ...section(7, vector(this.functions.map(({ name }, i) => [...text(name), 0x00, ...unsigned(i)]))),
      ...section(10, vector(this.functions.map(({ code }) => code))),
    ]);
  }
}

// Control. A label is not needed: loops and conditions here never jump further than their own block.

export const ifElse = (condition: Code, yes: Code[], no: Code[] = []): Code => [
  ...condition,
  ...[0x04, voidBlock],
  ...yes.flat(),
  ...(no.length > 0 ? [0x05, ...no.flat()] : []),
  0x0b,
];

/** while (condition) body */
export const whileLoop = (condition: Code, ...body: Code[]): Code => [
  ...[0x02, voidBlock, 0x03, voidBlock],
  ...condition,
  ...[0x45, 0x0d, 1], // eqz, br_if out of the block
  ...body.flat(),
  ...[0x0c, 0], // br to the loop
  ...[0x0b, 0x0b],
];

export const doWhile = (body: Code[], condition: Code): Code => [
  ...[0x03, voidBlock],
  ...body.flat(),
  ...condition,
  ...[0x0d, 0],
  0x0b,
];

/** for (i = 0; i < end; i += step) body, with an unsigned comparison. */
export const countLoop = (i: Local, end: Code, step: number | Code, ...body: Code[]): Code => [
  ...i.set(i32.const(0)),
  ...whileLoop(i32.lt(i.get, end), ...body, i.set(i32.add(i.get, typeof step === "number" ? i32.const(step) : step))),
];

const binary =
  (...opcode: number[]) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode];
const unary =
  (...opcode: number[]) =>
  (a: Code): Code => [...a, ...opcode];
/** Alignment 2 ** 0 is a hint that costs nothing on today's processors. */
const at = (offset: number): Code => [0, ...unsigned(offset)];
const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];

/** Comparisons are unsigned: addresses go up to 4 GiB. */
export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  load: (address: Code, offset = 0): Code => [...address, 0x28, ...at(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [...address, ...value, 0x36, ...at(offset)],
  store8: (address: Code, value: Code, offset = 0): Code => [...address, ...value, 0x3a, ...at(offset)],
  load8: (address: Code, offset = 0): Code => [...address, 0x2d, ...at(offset)],
  eqz: unary(0x45),
  eq: binary(0x46),
  ne: binary(0x47),
  lt: binary(0x49),
  gt: binary(0x4b),
  le: binary(0x4d),
  ge: binary(0x4f),
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  div: binary(0x6e),
  and: binary(0x71),
  shl: (a: Code, bits: number): Code => [...a, ...i32.const(bits), 0x74],
  shr: (a: Code, bits: number): Code => [...a, ...i32.const(bits), 0x76],
  min: (a: Local, b: Local): Code => [...a.get, ...b.get, ...i32.lt(a.get, b.get), 0x1b],
};

export const f32 = {
  const: (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
  load: (address: Code, offset = 0): Code => [...address, 0x2a, ...at(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [...address, ...value, 0x38, ...at(offset)],
  add: binary(0x92),
  sub: binary(0x93),
  mul: binary(0x94),
  div: binary(0x95),
  max: binary(0x97),
};

export const v128 = {
  load: (address: Code, offset = 0): Code => [...address, ...simd(0x00), ...at(offset)],
  load32Splat: (address: Code, offset = 0): Code => [...address, ...simd(0x09), ...at(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [...address, ...value, ...simd(0x0b), ...at(offset)],
  zero: (): Code => [...simd(0x0c), ...new Array<number>(16).fill(0)],
  /** Picks four 32-bit lanes out of a's 0..3 and b's 4..7. */
  shuffle32: (a: Code, b: Code, lanes: [number, number, number, number]): Code => [
    ...a,
    ...b,
    ...simd(0x0d),
    ...lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]),
  ],
  and: binary(...simd(0x4e)),
  andnot: binary(...simd(0x4f)),
  or: binary(...simd(0x50)),
  xor: binary(...simd(0x51)),
  /** Bits of `a` where the mask is 1, of `b` where it is 0. */
  select: (a: Code, b: Code, mask: Code): Code => [...a, ...b, ...mask, ...simd(0x52)],
};

export const f32x4 = {
  splat: unary(...simd(0x13)),
  const: (value: number): Code => [...f32.const(value), ...simd(0x13)],
  extract: (a: Code, lane: number): Code => [...a, ...simd(0x1f), lane],
  eq: binary(...simd(0x41)),
  ne: binary(...simd(0x42)),
  lt: binary(...simd(0x43)),
  gt: binary(...simd(0x44)),
  le: binary(...simd(0x45)),
  ge: binary(...simd(0x46)),
  nearest: unary(...simd(0x6a)),
  abs: unary(...simd(0xe0)),
  neg: unary(...simd(0xe1)),
  sqrt: unary(...simd(0xe3)),
  add: binary(...simd(0xe4)),
  sub: binary(...simd(0xe5)),
  mul: binary(...simd(0xe6)),
  div: binary(...simd(0xe7)),
  min: binary(...simd(0xe8)),
  max: binary(...simd(0xe9)),
  fromInt: unary(...simd(0xfa)),
  /** a * b + c rounded once or twice, as the processor likes. Needs relaxed SIMD. */
  relaxedMadd: (a: Code, b: Code, c: Code): Code => [...a, ...b, ...c, ...simd(0x105)],
};

export const i32x4 = {
  splat: unary(...simd(0x11)),
  const: (value: number): Code => [...i32.const(value), ...simd(0x11)],
  add: binary(...simd(0xae)),
  sub: binary(...simd(0xb1)),
  shl: (a: Code, bits: number): Code => [...a, ...i32.const(bits), ...simd(0xab)],
  shrSigned: (a: Code, bits: number): Code => [...a, ...i32.const(bits), ...simd(0xac)],
  truncated: unary(...simd(0xf8)),
};

function localAt(index: number): Local {
  return {
    get: [0x20, ...unsigned(index)],
    set: (value) => [...value, 0x21, ...unsigned(index)],
  };
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): Code {
  return [...unsigned(value.length), ...Buffer.from(value, "ascii")];
}

/** LEB128. */
function unsigned(value: number): Code {
  const bytes: Code = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return bytes;
}

function signed(value: number): Code {
  const bytes: Code = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 127;
    rest >>= 7;
    if ((rest === 0 && (low & 64) === 0) || (rest === -1 && (low & 64) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 128);
  }
}

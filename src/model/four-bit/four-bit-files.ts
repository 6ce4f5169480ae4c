import type { FloatDtype } from "../dtype.js";
import { PretrainedFilesError } from "../errors.js";
import type { TensorToWrite } from "../files/safetensors.js";
import type { WeightFiles } from "../files/weight-files.js";
import { BLOCK, type FourBitWeight, NESTED_BLOCK } from "./four-bit.js";
import { CODES, dynamicMap, type FourBitType } from "./four-bit-codes.js";

/** What bitsandbytes writes beside a packed weight, as JSON in a tensor of bytes. */
interface QuantState {
  quant_type: FourBitType;
  blocksize: number;
  dtype: string;
  shape: number[];
  nested_blocksize?: number;
  nested_dtype?: string;
  nested_offset?: number;
}

const stateName = (name: string, type: FourBitType): string => `${name}.quant_state.bitsandbytes__${type}`;
const TYPES: FourBitType[] = ["nf4", "fp4"];

/** The tensors in which bitsandbytes serialises a 4-bit weight. */
export function fourBitTensors(name: string, weight: FourBitWeight, dtype: FloatDtype): Map<string, TensorToWrite> {
  const { type, shape, packed, scales } = weight;
  const state: QuantState = { quant_type: type, blocksize: BLOCK, dtype, shape };
  const tensors = new Map<string, TensorToWrite>([
    [name, { dtype: "U8", shape: [packed.length, 1], values: packed }],
    [`${name}.quant_map`, float(CODES[type])],
  ]);
  if ("absmax" in scales) tensors.set(`${name}.absmax`, float(scales.absmax));
  else {
    const { absmax_u8, nested_absmax, offset } = scales;
    tensors.set(`${name}.absmax`, { dtype: "U8", shape: [absmax_u8.length], values: absmax_u8 });
    tensors.set(`${name}.nested_absmax`, float(nested_absmax));
    tensors.set(`${name}.nested_quant_map`, float(dynamicMap()));
    Object.assign(state, { nested_blocksize: NESTED_BLOCK, nested_dtype: "float32", nested_offset: offset });
  }
  const json = new Uint8Array(Buffer.from(spacedJson(state)));
  return tensors.set(stateName(name, type), { dtype: "U8", shape: [json.length], values: json });
}

/** Whether the files hold `name` in bitsandbytes' 4-bit form. */
export const isFourBit = ({ entries }: WeightFiles, name: string): boolean =>
  TYPES.some((type) => entries.has(stateName(name, type)));

/** Names that belong to 4-bit weights without being parameters. */
export const isFourBitPart = (name: string): boolean =>
  /\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\.bitsandbytes__(nf4|fp4))$/.test(name);

/**
 * Reads a weight that bitsandbytes has quantised.
 * @throws PretrainedFilesError when a part is missing, or uses block sizes or code tables other than bitsandbytes' own
 */
export async function readFourBit(weights: WeightFiles, name: string, shape: number[]): Promise<FourBitWeight> {
  const type = TYPES.find((type) => weights.entries.has(stateName(name, type)))!;
  const fail = (problem: string) => new PretrainedFilesError(`${name} in 4 bit: ${problem}`);
  const read = async <T>(part: string) => {
    if (!weights.entries.has(part)) throw fail(`${part} is missing`);
    return (await weights.read(part)).values as T;
  };
  const state = JSON.parse(Buffer.from(await read<Uint8Array>(stateName(name, type))).toString()) as QuantState;
  if (`${state.shape}` !== `${shape}`) throw fail(`it has shape [${state.shape}], expected [${shape}]`);
  if (state.blocksize !== BLOCK) throw fail(`blocks of ${state.blocksize} are not supported, only of ${BLOCK}`);
  sameTable(await read<Float32Array>(`${name}.quant_map`), CODES[type], () =>
    fail("its quant_map is not the usual one"),
  );
  const elements = shape.reduce((a, b) => a * b, 1);
  const packed = await read<Uint8Array>(name);
  if (packed.length !== Math.ceil(elements / 2)) throw fail(`it holds ${packed.length} bytes for ${elements} weights`);
  const blocks = Math.ceil(elements / BLOCK);
  const absmax = await read<Float32Array | Uint8Array>(`${name}.absmax`);
  if (absmax.length !== blocks) throw fail(`it holds ${absmax.length} scales for ${blocks} blocks`);
  if (absmax instanceof Float32Array) return { type, shape, packed, scales: { absmax } };

  if (state.nested_blocksize !== NESTED_BLOCK || typeof state.nested_offset !== "number") {
    throw fail(`nested blocks of ${state.nested_blocksize} are not supported, only of ${NESTED_BLOCK} with an offset`);
  }
  const map = await read<Float32Array>(`${name}.nested_quant_map`);
  sameTable(map, dynamicMap(), () => fail("its nested_quant_map is not the usual one"));
  const nested_absmax = await read<Float32Array>(`${name}.nested_absmax`);
  const scales = { absmax_u8: absmax, nested_absmax, offset: Math.fround(state.nested_offset) };
  return { type, shape, packed, scales };
}

/** Other versions computed the tables with other roundings: the last bits may differ. */
function sameTable(given: Float32Array, own: Float32Array, error: () => Error): void {
  if (given.length !== own.length || given.some((x, i) => Math.abs(x - own[i]!) > 1e-6)) throw error();
}

/** On one line, with Python's spaces. */
const spacedJson = (value: unknown): string =>
  JSON.stringify(value, null, 1).replace(/,\n */g, ", ").replace(/\n */g, "");

const float = (values: Float32Array): TensorToWrite => ({ dtype: "F32", shape: [values.length], values });

import type { FloatDtype } from "../dtype.js";
import { ModelError } from "../errors.js";

/** The fields of transformers' `BitsAndBytesConfig` that mean something here. */
export interface BitsAndBytesFields {
  load_in_4bit: boolean;
  load_in_8bit: boolean;
  /** Modules that stay as they are, by name; null: the output head. */
  llm_int8_skip_modules: string[] | null;
  llm_int8_threshold: number;
  llm_int8_enable_fp32_cpu_offload: boolean;
  llm_int8_has_fp16_weight: boolean;
  bnb_4bit_quant_type: "nf4" | "fp4";
  /** Quantise the scales of the blocks too. */
  bnb_4bit_use_double_quant: boolean;
  /** Kept in the config; computation here is float32. With or without the prefix `torch.`. */
  bnb_4bit_compute_dtype: FloatDtype;
  bnb_4bit_quant_storage: string;
}

const DEFAULTS: BitsAndBytesFields = {
  load_in_4bit: false,
  load_in_8bit: false,
  llm_int8_threshold: 6,
  llm_int8_skip_modules: null,
  llm_int8_enable_fp32_cpu_offload: false,
  llm_int8_has_fp16_weight: false,
  bnb_4bit_quant_type: "fp4",
  bnb_4bit_use_double_quant: false,
  bnb_4bit_compute_dtype: "float32",
  bnb_4bit_quant_storage: "uint8",
};

/**
 * How to load a base model in 4 bit, as transformers' class of this name (same fields and defaults).
 * @throws ModelError for unknown fields, both widths at once, 8 bit, or an unknown 4-bit type
 */
export class BitsAndBytesConfig {
  readonly fields: Readonly<BitsAndBytesFields>;

  constructor(
    fields: Partial<Omit<BitsAndBytesFields, "bnb_4bit_compute_dtype"> & { bnb_4bit_compute_dtype: string }> = {},
  ) {
    const unknown = Object.keys(fields).filter((key) => !(key in DEFAULTS));
    if (unknown.length) throw new ModelError(`BitsAndBytesConfig has no field ${unknown.join(", ")}`);
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    const all = { ...DEFAULTS, ...given } as BitsAndBytesFields;
    const dtype = String(all.bnb_4bit_compute_dtype).replace(/^torch\./, "");
    if (all.load_in_4bit && all.load_in_8bit) {
      throw new ModelError("BitsAndBytesConfig: load_in_4bit and load_in_8bit are both true; choose one");
    }
    if (all.load_in_8bit) throw new ModelError("BitsAndBytesConfig: load_in_8bit is not supported; use load_in_4bit");
    if (!["nf4", "fp4"].includes(all.bnb_4bit_quant_type)) {
      throw new ModelError(
        `BitsAndBytesConfig: bnb_4bit_quant_type must be nf4 or fp4, got ${all.bnb_4bit_quant_type}`,
      );
    }
    if (!["float32", "float16", "bfloat16"].includes(dtype)) {
      throw new ModelError(`BitsAndBytesConfig: bnb_4bit_compute_dtype ${dtype} is not float32, float16 or bfloat16`);
    }
    this.fields = { ...all, bnb_4bit_compute_dtype: dtype as FloatDtype };
  }

  /** As transformers' `to_dict()`: dtypes without `torch.`, in its order. */
  toDict(): Record<string, unknown> {
    const f = this.fields;
    return {
      quant_method: "bitsandbytes",
      _load_in_8bit: f.load_in_8bit,
      _load_in_4bit: f.load_in_4bit,
      llm_int8_threshold: f.llm_int8_threshold,
      llm_int8_skip_modules: f.llm_int8_skip_modules,
      llm_int8_enable_fp32_cpu_offload: f.llm_int8_enable_fp32_cpu_offload,
      llm_int8_has_fp16_weight: f.llm_int8_has_fp16_weight,
      bnb_4bit_quant_type: f.bnb_4bit_quant_type,
      bnb_4bit_use_double_quant: f.bnb_4bit_use_double_quant,
      bnb_4bit_compute_dtype: f.bnb_4bit_compute_dtype,
      bnb_4bit_quant_storage: f.bnb_4bit_quant_storage,
      load_in_4bit: f.load_in_4bit,
      load_in_8bit: f.load_in_8bit,
    };
  }
}

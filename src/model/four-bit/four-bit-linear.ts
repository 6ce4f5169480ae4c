import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { custom } from "../decoder/ops.js";
import { byteLookup, bytesTensor } from "./byte-lookup.js";
import { BLOCK, type FourBitWeight, NESTED_BLOCK, quantize4bit } from "./four-bit.js";
import { CODES, dynamicMap, type FourBitType } from "./four-bit-codes.js";
import { fourBitProduct, hasFourBitProduct } from "./four-bit-product.js";

/** A frozen 4-bit weight on the engine, `[out, in]`: about 4.1 bits a number under double quantisation, else 4.5. */
export class FourBitMatrix {
  readonly shape: [number, number];
  readonly type: FourBitType;
  private readonly packed: Tensor1D;
  private readonly scales: { absmax: Tensor1D } | { codes: Tensor1D; nested: Tensor1D; offset: Tensor };
  private readonly blocks: number;
  private decoded: Tensor2D | undefined;

  constructor(weight: FourBitWeight) {
    this.shape = weight.shape as [number, number];
    this.type = weight.type;
    const size = this.shape[0] * this.shape[1];
    this.blocks = Math.ceil(size / BLOCK);
    // Whole blocks, so that one product scales them all; what is beyond the weight is cut off again.
    const padded = new Uint8Array((this.blocks * BLOCK) / 2);
    padded.set(weight.packed);
    this.packed = tf.keep(bytesTensor(padded));
    const { scales } = weight;
    if ("absmax" in scales) this.scales = { absmax: tf.keep(tf.tensor1d(scales.absmax)) };
    else {
      this.scales = {
        codes: tf.keep(bytesTensor(scales.absmax_u8)),
        nested: tf.keep(tf.tensor1d(scales.nested_absmax)),
        offset: tf.keep(tf.scalar(scales.offset)),
      };
    }
  }

  /** Double quantised? */
  get double(): boolean {
    return "codes" in this.scales;
  }

  /** Keeps the weight in float32 too, so that no step has to decode it. */
  keepDecoded(): void {
    this.decoded ??= tf.keep(this.dequantize());
  }

  /** The weight in float32, `[out, in]`. The caller disposes it. */
  dequantize(): Tensor2D {
    if (this.decoded) return tf.clone(this.decoded);
    return tf.tidy(() => {
      const pairs = byteLookup(this.packed, pairTable(this.type));
      const values = tf.mul(tf.reshape(pairs, [this.blocks, BLOCK]), tf.reshape(this.absmax(), [this.blocks, 1]));
      const size = this.shape[0] * this.shape[1];
      const flat = tf.reshape(values, [-1]);
      return tf.reshape(flat.size === size ? flat : tf.slice(flat, 0, size), this.shape);
    });
  }

  /** `x · Wᵀ`; the gradient goes through to `x`, `[tokens, in]`. Unless it is kept decoded, W exists in float32 only while it is used. */
  linear(x: Tensor2D): Tensor2D {
    if (this.decoded) return tf.matMul(x, this.decoded, false, true);
    return custom([x], ([x]) => ({
      value: hasFourBitProduct(this.shape)
        ? fourBitProduct(x as Tensor2D, this.packed, this.absmax(), this)
        : tf.matMul(x as Tensor2D, this.dequantize(), false, true),
      gradFunc: (dy) => [tf.matMul(dy as Tensor2D, this.dequantize())],
    })) as Tensor2D;
  }

  /** New values in the same format. Reads `values` to the host. */
  requantize(values: Tensor): FourBitMatrix {
    const { type, double } = this;
    return new FourBitMatrix(quantize4bit(values.dataSync() as Float32Array, this.shape, { type, double }));
  }

  /** The weight on the host, as it was given. */
  async read(): Promise<FourBitWeight> {
    const [rows, columns] = this.shape;
    const bytes = async (tensor: Tensor) => (await tensor.data()) as unknown as Uint8Array;
    const packed = (await bytes(this.packed)).slice(0, Math.ceil((rows * columns) / 2));
    const { type, shape, scales } = this;
    if ("absmax" in scales) return { type, shape, packed, scales: { absmax: await scales.absmax.data<"float32">() } };
    const nested_absmax = await scales.nested.data<"float32">();
    const offset = (await scales.offset.data())[0]!;
    return { type, shape, packed, scales: { absmax_u8: await bytes(scales.codes), nested_absmax, offset } };
  }

  dispose(): void {
    tf.dispose([this.packed, ...Object.values(this.scales), ...(this.decoded ? [this.decoded] : [])]);
  }

  private absmax(): Tensor {
    if ("absmax" in this.scales) return this.scales.absmax;
    const { codes, nested, offset } = this.scales;
    const values = tf.reshape(byteLookup(codes, dynamicTable()), [-1]);
    // Whole groups, so that one product scales them all: a scale gathered for each block would need as large an index.
    const rest = nested.size * NESTED_BLOCK - this.blocks;
    const groups = tf.reshape(rest ? tf.pad(values, [[0, rest]]) : values, [-1, NESTED_BLOCK]);
    const scaled = tf.reshape(tf.add(tf.mul(groups, tf.expandDims(nested, 1)), offset), [-1]);
    return rest ? tf.slice(scaled, 0, this.blocks) : scaled;
  }
}

/** For each byte the values of its two codes, `[256, 2]`. */
function pairTable(type: FourBitType): Tensor2D {
  const codes = CODES[type];
  const values = new Float32Array(512);
  for (let byte = 0; byte < 256; byte++) {
    values[2 * byte] = codes[byte >> 4]!;
    values[2 * byte + 1] = codes[byte & 15]!;
  }
  return tf.tensor2d(values, [256, 2]);
}

function dynamicTable(): Tensor2D {
  return tf.tensor2d(dynamicMap(), [256, 1]);
}

import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { BLOCK } from "./four-bit.js";
import type { FourBitType } from "./four-bit-codes.js";

/** The kernel's name; only the onnx backend has it. */
export const FOUR_BIT_PRODUCT = "KaisetsuFourBitProduct";

/** Whether the engine can multiply with a weight `[out, in]` of this shape while it stays in 4 bits. */
export function hasFourBitProduct([, width]: readonly number[]): boolean {
  return width! % BLOCK === 0 && tf.getKernel(FOUR_BIT_PRODUCT, tf.getBackend()) !== undefined;
}

/** `x · Wᵀ`, `[tokens, out]`, where W `[out, in]` lies packed with one `absmax` a block. Has no gradient. */
export function fourBitProduct(
  x: Tensor2D,
  packed: Tensor1D,
  absmax: Tensor,
  { shape, type }: { shape: [number, number]; type: FourBitType },
): Tensor2D {
  const inputs = { x, packed, absmax };
  return tf.engine().runKernel(FOUR_BIT_PRODUCT, inputs, { shape, block: BLOCK, type }) as Tensor as Tensor2D;
}

import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { Architecture, LayerType, RopeSettings } from "../architecture.js";

/** Cosine and sine of positions, `[positions, headDim / 2]` or `[batch, 1, seq, headDim / 2]`; see `rotate` in ops.ts. */
export interface RopeTable {
  cos: Tensor;
  sin: Tensor;
}

/** Tables for the layer types that the model has. */
export function ropeTables(arch: Architecture, positions: number[]): Record<LayerType, RopeTable> {
  const full = ropeTable(arch.rope.full_attention, arch.headDim, positions);
  const same = arch.rope.full_attention === arch.rope.sliding_attention;
  const sliding = same ? full : ropeTable(arch.rope.sliding_attention, arch.headDim, positions);
  return { full_attention: full, sliding_attention: sliding };
}

/** The same for positions that are tensors, `[batch, seq]`. */
export function ropeTablesOf(arch: Architecture, positions: Tensor2D): Record<LayerType, RopeTable> {
  const [batch, seq] = positions.shape;
  const table = (settings: RopeSettings): RopeTable => {
    const frequencies = tf.tensor2d(inverseFrequencies(settings, arch.headDim), [1, arch.headDim / 2]);
    const angles = tf.mul(tf.reshape(tf.cast(positions, "float32"), [-1, 1]), frequencies);
    const shape: [number, number, number, number] = [batch, 1, seq, arch.headDim / 2];
    return { cos: tf.reshape(tf.cos(angles), shape), sin: tf.reshape(tf.sin(angles), shape) };
  };
  return { full_attention: table(arch.rope.full_attention), sliding_attention: table(arch.rope.sliding_attention) };
}

function ropeTable(settings: RopeSettings, headDim: number, positions: number[]): RopeTable {
  const { cos, sin } = ropeValues(settings, headDim, positions);
  const shape: [number, number] = [positions.length, headDim / 2];
  return { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
}

/** The same numbers as torch: frequencies and angles are float32. */
export function ropeValues(
  settings: RopeSettings,
  headDim: number,
  positions: number[],
): { cos: Float32Array; sin: Float32Array } {
  const half = headDim / 2;
  const frequencies = inverseFrequencies(settings, headDim);
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(positions.length * half);
  positions.forEach((position, row) => {
    for (let j = 0; j < half; j++) {
      const angle = Math.fround(position * frequencies[j]!);
      cos[row * half + j] = Math.cos(angle);
      sin[row * half + j] = Math.sin(angle);
    }
  });
  return { cos, sin };
}

function inverseFrequencies({ theta, scaling }: RopeSettings, headDim: number): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, j) => {
    const frequency = Math.fround(1 / Math.fround(theta ** Math.fround((2 * j) / headDim)));
    if (scaling === null) return frequency;
    if (scaling.type === "linear") return frequency / scaling.factor;
    // Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, the ones between interpolated.
    const wavelength = (2 * Math.PI) / frequency;
    const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: length } = scaling;
    if (wavelength > length / low) return frequency / factor;
    if (wavelength < length / high) return frequency;
    const smooth = (length / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

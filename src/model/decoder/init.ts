import type { Tensor } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import { randomNormal } from "../../data/random/random.js";
import { type Architecture, parameterShapes } from "../architecture.js";
import { type FloatDtype, roundArray } from "../dtype.js";

/**
 * Random weights as transformers initialises them (`_init_weights`): matrices normal with `initializer_range`, biases 0,
 * norms neutral. The numbers are a function of the seed and the parameter's name, not torch's.
 */
export function randomWeights(arch: Architecture, seed: number, dtype: FloatDtype): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [name, shape] of parameterShapes(arch)) {
    const size = shape.reduce((a, b) => a * b, 1);
    let values: Float32Array;
    if (shape.length === 2) values = randomNormal({ seed, name }, size, 0, arch.initializerRange);
    else values = new Float32Array(size).fill(name.endsWith(".bias") ? 0 : 1 - arch.normOffset);
    tensors.set(name, tf.tensor(roundArray(values, dtype), shape, "float32"));
  }
  return tensors;
}

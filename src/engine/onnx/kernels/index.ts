import { arithmeticKernels } from "./arithmetic.js";
import { blockKernels } from "./blocks.js";
import { convolutionKernels } from "./convolution.js";
import { decoderKernels } from "./decoder.js";
import { fourBitKernels } from "./four-bit.js";
import { gatherKernels } from "./gather.js";
import { imageKernels } from "./image.js";
import type { Kernels } from "./kernel.js";
import { matmulKernels } from "./matmul.js";
import { narrowKernels } from "./narrow.js";
import { normalizationKernels } from "./normalization.js";
import { poolKernels } from "./pool.js";
import { reduceKernels } from "./reduce.js";
import { shapeKernels } from "./shape.js";
import { unaryKernels } from "./unary.js";

/** Every TensorFlow.js kernel that is recorded as ONNX nodes, by its name there. */
export const kernels: Kernels = {
  ...arithmeticKernels,
  ...unaryKernels,
  ...reduceKernels,
  ...shapeKernels,
  ...gatherKernels,
  ...matmulKernels,
  ...convolutionKernels,
  ...poolKernels,
  ...normalizationKernels,
  ...imageKernels,
  ...blockKernels,
  ...fourBitKernels,
  ...decoderKernels,
  ...narrowKernels,
};

import type * as tf from "@tensorflow/tfjs";
import type { Source } from "./source.js";

/** Computes something from random inputs; every engine must get what tfjs's cpu backend gets. */
export interface Case {
  name: string;
  compute(source: Source): tf.Tensor | tf.Tensor[];
  /** For what the cpu backend itself gets wrong: the same thing, said in a way that it gets right. */
  reference?(source: Source): tf.Tensor | tf.Tensor[];
  /** Engines (with their device) that get it wrong for a reason that is not ours to mend, which the test prints. */
  except?: Record<string, string>;
  /** Absolute and relative; default 1e-5. */
  tolerance?: number;
}

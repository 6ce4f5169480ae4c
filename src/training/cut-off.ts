import * as tf from "@tensorflow/tfjs";

/**
 * Makes TensorFlow.js usable again after a kernel has cut a computation off in the middle: its counters of nested kernels,
 * gradients and scopes would say for ever that it still runs, and no later gradient could be taken. What the computation
 * had allocated is lost; no tensor is touched here, since the engine may be in the middle of one.
 */
export function forgetComputation(): void {
  const { state } = tf.engine();
  state.kernelDepth = 0;
  state.gradientDepth = 0;
  state.scopeStack = [];
  state.activeScope = null as unknown as typeof state.activeScope;
  state.activeTape = undefined as unknown as typeof state.activeTape;
}

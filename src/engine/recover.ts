import * as tf from "@tensorflow/tfjs";

/** The parts of TensorFlow.js's engine that a computation changes and puts back in a `finally`. */
interface EngineState {
  gradientDepth: number;
  kernelDepth: number;
  activeTape: unknown;
  scopeStack: unknown[];
}

/**
 * Puts TensorFlow.js back in order after a kernel has cut a computation off: that runs no `finally`, and TensorFlow.js goes on
 * believing that it is in the middle of a gradient. Call it only where no computation can be under way: after an `await`.
 */
export function recoverFromCut(): void {
  const engine = tf.engine();
  (tf.backend() as { recoverFromCut?(): void }).recoverFromCut?.();
  const { state } = engine as unknown as { state: EngineState };
  if (state.gradientDepth === 0 && state.kernelDepth === 0 && !state.activeTape) return;
  state.gradientDepth = 0;
  state.kernelDepth = 0;
  state.activeTape = null;
  while (state.scopeStack.length > 0) engine.endScope();
}

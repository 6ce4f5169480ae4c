import { ensureEngine } from "../../engine/index.js";
import type { JitFunction } from "../../engine/types.js";
import type { NamedTensors } from "../types.js";

/** A pure step over named tensors; the inputs stay the caller's, the outputs become the caller's. */
export interface Step {
  (inputs: NamedTensors): Promise<NamedTensors>;
  dispose(): void;
}

/** Runs a pure step on the engine in use, which may trace it once and replay it; after `useEngine` it is made anew. */
export function traceable(step: (inputs: NamedTensors) => NamedTensors, name: string): Step {
  let made: { engine: unknown; run: JitFunction<NamedTensors, NamedTensors> } | undefined;
  const run = async (inputs: NamedTensors) => {
    const engine = await ensureEngine();
    if (made?.engine !== engine) {
      made?.run.dispose();
      made = { engine, run: engine.jit(step, { name, pure: true, deferred: true }) };
    }
    return made.run(inputs);
  };
  const dispose = () => {
    made?.run.dispose();
    made = undefined;
  };
  return Object.assign(run, { dispose });
}

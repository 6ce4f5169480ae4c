import { totalmem } from "node:os";
import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "../../model/types.js";
import type { JitFunction } from "../types.js";
import type { OnnxBackend } from "./backend.js";
import { BoundedCache } from "./bounded-cache.js";
import type { Feed } from "./device-core.js";
import { JitError } from "./errors.js";
import { packedWeights } from "./packed-weights.js";
import { sessionModel } from "./program.js";
import { programCost } from "./program-cost.js";
import { BACKEND_NAME } from "./register.js";
import { releaseTrace, type Source, type Trace, traceStep } from "./trace.js";
import type { Value } from "./values.js";

/** How much of the machine's memory the matrices of one session may take. */
const PACKED_BYTES = totalmem() / 32;

/** A traced step, ready to be replayed. */
interface Plan {
  session: number;
  trace: Trace;
  /** Weights from outside of the step: they must not have been disposed. */
  captured: Value[];
  calls: number;
  /** Its session's working memory. */
  bytes: number;
}

/**
 * Traces `step` once per shape of its inputs and replays it as one session from then on.
 *
 * What changes between calls without being an input (a number, a random draw, another branch) would be frozen by a replay.
 * So the step is recorded again on its 2nd, 4th, 8th, 16th… call and compared with what is replayed.
 */
export function onnxJit<I extends NamedTensors, O extends NamedTensors>(
  backend: OnnxBackend,
  step: (inputs: I) => O,
  label: string,
): JitFunction<I, O> {
  const plans = new BoundedCache<Plan>((plan) => dropPlan(backend, plan));
  let disposed = false;
  const anyStep = step as unknown as (inputs: NamedTensors) => NamedTensors;

  const call = async (inputs: I): Promise<O> => {
    if (disposed) throw new JitError(`jit(${label}) was called after dispose()`);
    checkInputs(label, inputs);
    const plan = plans.get(signature(inputs), () => makePlan(backend, label, anyStep, inputs));
    checkCaptured(label, plan);
    plan.calls++;
    if (plan.calls > 1 && isPowerOfTwo(plan.calls)) verify(backend, label, anyStep, inputs, plan);
    return (await replay(backend, plan, inputs)) as O;
  };

  return Object.assign(call, {
    dispose() {
      disposed = true;
      plans.clear();
    },
  });
}

function makePlan(
  backend: OnnxBackend,
  label: string,
  step: (inputs: NamedTensors) => NamedTensors,
  inputs: NamedTensors,
): Plan {
  const trace = traceStep(backend, label, step, inputs);
  // A constant that the step made has no tensor any more; a weight from outside has.
  const captured = trace.retained.filter((value) => value.storage!.holders > 0);
  const frozen = new Set(captured);
  const packed = packedWeights(trace.graph, (value) => frozen.has(value), PACKED_BYTES);
  const places = new Map([...packed.weights].map((value) => [value, backend.onDevice(value)]));
  const session = backend.device.load(sessionModel(trace.graph, backend.settings, places));
  const bytes = programCost(trace.graph).peakBytes + packed.bytes;
  // The session has the graph; its nodes would only take memory.
  trace.graph.nodes = [];
  return { session, trace, captured, calls: 0, bytes };
}

async function replay(backend: OnnxBackend, plan: Plan, inputs: NamedTensors): Promise<NamedTensors> {
  const given: Record<string, Value> = {};
  for (const [name, input] of Object.entries(inputs)) given[name] = backend.value(input);
  if (Object.values(given).some((value) => !value.storage)) backend.flush();
  const valueOf = (source: Source) => ("input" in source ? given[source.input]! : source.value);
  const computed = await compute(backend, plan, (source) => backend.feed(valueOf(source)));
  const named: NamedTensors = {};
  for (const { name, shape, from } of plan.trace.outputs) {
    named[name] = backend.viewTensor(typeof from === "number" ? computed[from]! : valueOf(from), shape);
  }
  return named;
}

async function compute(backend: OnnxBackend, plan: Plan, feed: (source: Source) => Feed): Promise<Value[]> {
  const { graph, feeds } = plan.trace;
  if (graph.outputs.length === 0) return [];
  const results = await backend.device.runAsync(plan.session, feeds.map(feed), graph.outputs.length);
  return graph.outputs.map(({ shape, type }, i) => backend.resultValue(results[i]!, shape, type));
}

function checkCaptured(label: string, plan: Plan): void {
  for (const value of plan.captured) {
    if (value.storage!.holders > 0) continue;
    throw new JitError(
      `jit(${label}): a tensor of shape [${value.shape}] that the step reads (first in ` +
        `${plan.trace.readers.get(value.storage!)}) has been disposed; pass it as an input, or make the step anew`,
    );
  }
}

function verify(
  backend: OnnxBackend,
  label: string,
  step: (inputs: NamedTensors) => NamedTensors,
  inputs: NamedTensors,
  plan: Plan,
): void {
  const before = plan.trace.listing;
  const trace = traceStep(backend, label, step, inputs);
  releaseTrace(backend, trace);
  const now = trace.listing;
  const at = before.findIndex((line, i) => line !== now[i]);
  if (at < 0 && before.length === now.length) return;
  const [was, is] = [before[at] ?? "nothing", now[at < 0 ? before.length : at] ?? "nothing"];
  throw new JitError(
    `jit(${label}): the step does not do the same on every call: it computed "${shorten(was)}" and now ` +
      `"${shorten(is)}". A number that changes must be an input of the step (a tensor), and so must a random mask`,
  );
}

function dropPlan(backend: OnnxBackend, plan: Plan): void {
  backend.device.unload(plan.session);
  releaseTrace(backend, plan.trace);
}

function checkInputs(label: string, inputs: NamedTensors): void {
  if (tf.getBackend() !== BACKEND_NAME) {
    throw new JitError(
      `jit(${label}) was made for the backend "${BACKEND_NAME}", but "${tf.getBackend()}" is current: ` +
        "make it anew with currentEngine().jit after useEngine",
    );
  }
  for (const [name, input] of Object.entries(inputs)) {
    if (!((input as unknown) instanceof tf.Tensor))
      throw new JitError(`jit(${label}): input "${name}" is not a tensor`);
    if (input.isDisposed) throw new JitError(`jit(${label}): input "${name}" has been disposed`);
  }
}

function signature(inputs: NamedTensors): string {
  const names = Object.keys(inputs).sort();
  return names.map((name) => `${name}:${inputs[name]!.dtype}[${inputs[name]!.shape}]`).join(" ");
}

function isPowerOfTwo(n: number): boolean {
  return (n & (n - 1)) === 0;
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

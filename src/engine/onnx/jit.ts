import { totalmem } from "node:os";
import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "../../model/types.js";
import type { JitFunction } from "../types.js";
import type { OnnxBackend } from "./backend.js";
import { BoundedCache } from "./bounded-cache.js";
import type { RunResult } from "./device.js";
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
  /** Spent in replays, and in recording the step. */
  replayMs: number;
  recordMs: number;
  /** Its session's working memory, and the matrices that it keeps. */
  bytes: number;
}

/** How much of the time of its replays a step's checks may take. */
const CHECK_SHARE = 0.05;

/**
 * Traces `step` once per shape of its inputs and replays it as one session from then on.
 *
 * What changes between calls without being an input (a number, a random draw, another branch) would be frozen by a replay.
 * So before a call is replayed the step is recorded again and compared: on every call of a step that takes little to
 * record, on the 2nd, 4th, 8th, 16th… call of any, and never for a step that is said to be pure.
 */
export function onnxJit<I extends NamedTensors, O extends NamedTensors>(
  backend: OnnxBackend,
  step: (inputs: I) => O,
  label: string,
  { pure = false, deferred = false } = {},
): JitFunction<I, O> {
  const plans = new BoundedCache<Plan>((plan) => dropPlan(backend, plan));
  const making = new Map<string, Promise<Plan>>();
  let disposed = false;
  const anyStep = step as unknown as (inputs: NamedTensors) => NamedTensors;

  const planFor = async (inputs: NamedTensors): Promise<Plan> => {
    const key = signature(inputs);
    const known = plans.find(key);
    if (known) return known;
    // Two calls at the same time need one plan.
    const made = making.get(key) ?? makePlan(backend, label, anyStep, inputs, plans.room / 2);
    making.set(key, made);
    try {
      const plan = await made;
      if (!plans.find(key)) plans.add(key, plan);
      if (disposed) {
        plans.clear();
        throw new JitError(`jit(${label}) was disposed while it was being made`);
      }
      return plan;
    } finally {
      making.delete(key);
    }
  };

  const call = async (inputs: I): Promise<O> => {
    if (disposed) throw new JitError(`jit(${label}) was called after dispose()`);
    checkInputs(label, inputs);
    const plan = await planFor(inputs);
    checkCaptured(label, plan);
    plan.calls++;
    if (!pure && plan.calls > 1 && isDue(plan)) verify(backend, label, anyStep, inputs, plan);
    const start = performance.now();
    const outputs = (await replay(backend, plan, inputs, deferred)) as O;
    plan.replayMs += performance.now() - start;
    return outputs;
  };

  return Object.assign(call, {
    dispose() {
      disposed = true;
      plans.clear();
    },
  });
}

/** @param room bytes that packed matrices may take */
async function makePlan(
  backend: OnnxBackend,
  label: string,
  step: (inputs: NamedTensors) => NamedTensors,
  inputs: NamedTensors,
  room: number,
): Promise<Plan> {
  const start = performance.now();
  const trace = traceStep(backend, label, step, inputs);
  const recordMs = performance.now() - start;
  // Recording took a while, and writing the model will: timers and messages get their turn between.
  await setImmediate();
  // A constant that the step made has no tensor any more; a weight from outside has.
  const captured = trace.retained.filter((value) => value.storage!.holders > 0);
  const frozen = new Set(captured);
  const packed = packedWeights(trace.graph, (value) => frozen.has(value), Math.min(PACKED_BYTES, room));
  const places = new Map([...packed.weights].map((value) => [value, backend.onDevice(value)]));
  const session = backend.device.load(sessionModel(trace.graph, backend.settings, places));
  const bytes = programCost(trace.graph).peakBytes + packed.bytes;
  // The session has the graph; its nodes would only take memory.
  trace.graph.nodes = [];
  return { session, trace, captured, calls: 0, replayMs: 0, recordMs, bytes };
}

async function replay(
  backend: OnnxBackend,
  plan: Plan,
  inputs: NamedTensors,
  deferred: boolean,
): Promise<NamedTensors> {
  const given: Record<string, Value> = {};
  for (const [name, input] of Object.entries(inputs)) {
    backend.widen(input);
    given[name] = backend.value(input);
  }
  if (Object.values(given).some((value) => !value.storage)) backend.flush();
  const valueOf = (source: Source) => ("input" in source ? given[source.input]! : source.value);
  const computed = await compute(backend, plan, (source) => backend.feed(valueOf(source)), deferred);
  const named: NamedTensors = {};
  for (const { name, shape, from } of plan.trace.outputs) {
    named[name] = backend.viewTensor(typeof from === "number" ? computed[from]! : valueOf(from), shape);
  }
  return named;
}

async function compute(
  backend: OnnxBackend,
  plan: Plan,
  feed: (source: Source) => Feed,
  deferred: boolean,
): Promise<Value[]> {
  const { graph, feeds } = plan.trace;
  if (graph.outputs.length === 0) return [];
  const asked = [plan.session, feeds.map(feed), graph.outputs.length] as const;
  const results: RunResult[] = deferred
    ? backend.device.run(...asked).map((buffer) => ({ buffer, host: undefined }))
    : await backend.device.runAsync(...asked);
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
  const start = performance.now();
  const trace = traceStep(backend, label, step, inputs);
  releaseTrace(backend, trace);
  plan.recordMs += performance.now() - start;
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

/** Whether the step shall be recorded again before this call. */
function isDue({ calls, replayMs, recordMs }: Plan): boolean {
  const powerOfTwo = (calls & (calls - 1)) === 0;
  return powerOfTwo || recordMs < CHECK_SHARE * replayMs;
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

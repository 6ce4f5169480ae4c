import { totalmem } from "node:os";
import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "../../model/types.js";
import { nextTurn } from "../../next-turn.js";
import type { JitFunction } from "../types.js";
import type { OnnxBackend } from "./backend.js";
import { BoundedCache } from "./bounded-cache.js";
import type { RunResult } from "./device.js";
import type { Feed } from "./device-core.js";
import { JitError } from "./errors.js";
import { packedWeights } from "./packed-weights.js";
import { numbered, remainingFeeds, type SessionPlan, sessionModel, sessionPlan } from "./program.js";
import { programCost } from "./program-cost.js";
import { BACKEND_NAME } from "./register.js";
import {
  forget,
  type Listing,
  listing,
  type Recording,
  recordStep,
  releaseTrace,
  type Source,
  type Trace,
  traceOf,
} from "./trace.js";
import type { Value } from "./values.js";

/** How much of the machine's memory the matrices of one session may take. */
const PACKED_BYTES = totalmem() / 32;

/** A traced step, ready to be replayed. */
interface Plan {
  session: number;
  trace: Trace;
  /** Of the first recording; none for a pure step. */
  listing: Listing | undefined;
  readers: Recording["readers"];
  /** Its session's working memory, and the matrices that it keeps. */
  bytes: number;
}

/**
 * Traces `step` once per shape of its inputs and replays it as one session from then on.
 *
 * What changes between calls without being an input (a number, a random draw, another branch, another tensor) would be
 * frozen by a replay. So on every call the step is recorded again, while the other thread computes the replay; where the
 * recording differs from the first, the call throws and nobody sees what was computed. A step that is said to be pure is
 * recorded once a shape.
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

  const record = (inputs: NamedTensors): Recording => recordStep(backend, label, anyStep, inputs);

  const make = async (key: string, inputs: NamedTensors): Promise<Plan> => {
    const made = makePlan(backend, record(inputs), { room: plans.room / 2, pure });
    making.set(key, made);
    try {
      const plan = plans.add(key, await made);
      if (!disposed) return plan;
      plans.clear();
      throw new JitError(`jit(${label}) was disposed while it was being made`);
    } finally {
      making.delete(key);
    }
  };

  const call = async (inputs: I): Promise<O> => {
    if (disposed) throw new JitError(`jit(${label}) was called after dispose()`);
    checkInputs(label, inputs);
    const key = signature(inputs);
    const known = plans.find(key);
    const underWay = making.get(key);
    if (!known && !underWay) return (await replay(backend, await make(key, inputs), inputs, deferred)) as O;
    const plan = known ?? (await underWay!);
    checkCaptured(label, plan);
    const replayed = replay(backend, plan, inputs, deferred);
    try {
      // The other thread is at work by now: this one would only wait.
      if (!pure) verify(backend, label, plan, record(inputs));
    } catch (error) {
      await replayed.then(tf.dispose, () => {});
      throw error;
    }
    return (await replayed) as O;
  };

  return Object.assign(call, {
    dispose() {
      disposed = true;
      plans.clear();
    },
  });
}

/**
 * Each part holds the event loop up for a while; between them timers and messages get their turn.
 * @param options.room bytes that packed matrices may take
 */
async function makePlan(
  backend: OnnxBackend,
  recording: Recording,
  { room, pure }: { room: number; pure: boolean },
): Promise<Plan> {
  let trace: Trace;
  let listed: Listing | undefined;
  let plan: SessionPlan;
  let bytes: number;
  try {
    await nextTurn();
    trace = traceOf(backend, recording);
    listed = pure ? undefined : listing(recording);
    const frozen = new Set(trace.captured);
    const packed = packedWeights(trace.graph, (value) => frozen.has(value), Math.min(PACKED_BYTES, room));
    const places = new Map([...packed.weights].map((value) => [value, backend.onDevice(value)]));
    forgetFeeds(trace, remainingFeeds(trace.graph, packed.weights));
    plan = sessionPlan(trace.graph, backend.settings, places);
    bytes = programCost(trace.graph).peakBytes + packed.bytes;
    // The session will have the graph; its nodes would only take memory.
    trace.graph.nodes = [];
  } finally {
    forget(backend, recording);
  }
  await nextTurn();
  const ordered = numbered(plan);
  await nextTurn();
  const session = backend.device.load(sessionModel(ordered));
  return { session, trace, listing: listed, readers: recording.readers, bytes };
}

/** What the session has as constants need not be given to it. */
function forgetFeeds(trace: Trace, left: readonly Value[]): void {
  const { feeds } = trace.graph;
  trace.feeds = trace.feeds.filter((_, i) => left.includes(feeds[i]!));
  trace.graph.feeds = [...left];
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

function checkCaptured(label: string, { trace, readers }: Plan): void {
  for (const { shape, storage } of trace.captured) {
    if (storage!.holders > 0) continue;
    throw new JitError(
      `jit(${label}): a tensor of shape [${shape}] that the step reads (first in ` +
        `${readers.get(storage!)}) has been disposed; pass it as an input, or make the step anew`,
    );
  }
}

function verify(backend: OnnxBackend, label: string, { listing: first }: Plan, recording: Recording): void {
  const before = first!.lines;
  const now = listing(recording, first).lines;
  forget(backend, recording);
  const at = before.findIndex((line, i) => line !== now[i]);
  if (at < 0 && before.length === now.length) return;
  const [was, is] = [before[at] ?? "nothing", now[at < 0 ? before.length : at] ?? "nothing"];
  throw new JitError(
    `jit(${label}): the step does not do the same on every call: it computed "${shorten(was)}" and now ` +
      `"${shorten(is)}". A number or tensor that changes must be an input of the step, and so must a random mask`,
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

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

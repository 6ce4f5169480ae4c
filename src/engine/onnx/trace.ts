import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "../../model/types.js";
import type { OnnxBackend, TraceListener } from "./backend.js";
import { JitError } from "./errors.js";
import { type Program, program, reachable } from "./program.js";
import { type HostArray, nextOrder, Storage, Value } from "./values.js";

/** Where a value of the graph comes from at a replay. */
export type Source = { input: string } | { value: Value };

export interface TracedOutput {
  name: string;
  shape: readonly number[];
  /** A number: which output of the graph. */
  from: number | Source;
}

/** What a step did, once. */
export interface Recording {
  /** What it returned; kept until `forget`. */
  outputs: { name: string; shape: readonly number[]; value: Value }[];
  /** Which input a stand-in's bytes are. */
  standIns: ReadonlyMap<Storage, string>;
  /** Which kernel first read a tensor from outside of the step. */
  readers: ReadonlyMap<Storage, string>;
  /** Contents of what the step made from numbers, where they are too many for the graph. */
  constants: ReadonlyMap<Storage, string>;
}

/** A step as a graph of its inputs. */
export interface Trace {
  graph: Program;
  /** For each input of the graph. */
  feeds: Source[];
  outputs: TracedOutput[];
  /** Tensors from outside of the step that the graph reads: all that it needs besides its inputs, but for constants. */
  captured: Value[];
  /** What the graph needs besides its inputs; kept until `releaseTrace`. */
  retained: Value[];
}

/**
 * Runs the step once on stand-ins for its inputs, only recording.
 * @throws JitError when the step does what a replay could not repeat
 */
export function recordStep(
  backend: OnnxBackend,
  label: string,
  step: (inputs: NamedTensors) => NamedTensors,
  inputs: NamedTensors,
): Recording {
  // Weights from outside must have bytes: what is pending now is not part of the step.
  backend.flush();
  const recorder = new Recorder(label);
  const standIns = new Map<Storage, string>();
  const restoreAssign = forbidAssign(label);
  backend.trace = recorder;
  let outputs: Recording["outputs"] = [];
  try {
    const tensors = tf.tidy(() => {
      const arguments_: NamedTensors = {};
      for (const [name, input] of Object.entries(inputs)) {
        const standIn = new Value(input.shape, input.dtype as Value["type"], nextOrder());
        standIn.storage = new Storage();
        standIns.set(standIn.storage, name);
        arguments_[name] = tf.engine().makeTensorFromTensorInfo(backend.tensorInfo(standIn), backend);
      }
      return checkOutputs(label, step(arguments_)) as tf.TensorContainer;
    }) as NamedTensors;
    outputs = Object.entries(tensors).map(([name, tensor]) => ({
      name,
      shape: tensor.shape,
      value: backend.kept(tensor),
    }));
    for (const { value } of outputs) backend.retain(value);
    tf.dispose(tensors);
    backend.abandonPending((shape) => {
      throw new JitError(
        `jit(${label}): the step keeps a tensor of shape [${shape}] that it made from its inputs ` +
          "(tf.keep?); return it as an output instead",
      );
    });
    return { outputs, standIns, readers: recorder.readers, constants: recorder.constants };
  } catch (error) {
    forget(backend, { outputs });
    backend.abandonPending(() => {});
    throw error;
  } finally {
    backend.trace = undefined;
    restoreAssign();
  }
}

/** The recording is needed no more; a trace of it stays. */
export function forget(backend: OnnxBackend, { outputs }: Pick<Recording, "outputs">): void {
  for (const { value } of outputs) backend.release(value);
}

export function traceOf(backend: OnnxBackend, { outputs, standIns }: Recording): Trace {
  const sourceOf = (value: Value): Source => {
    const input = standIns.get(value.storage!);
    return input === undefined ? { value } : { input };
  };
  const computed: Value[] = [];
  const tracedOutputs = outputs.map(({ name, shape, value }): TracedOutput => {
    if (value.storage) return { name, shape, from: sourceOf(value) };
    if (!computed.includes(value)) computed.push(value);
    return { name, shape, from: computed.indexOf(value) };
  });
  const graph = program(computed, { share: true });
  const feeds = graph.feeds.map(sourceOf);
  const sources = [...feeds, ...tracedOutputs.map(({ from }) => from)];
  const retained = sources.flatMap((source) => (typeof source === "object" && "value" in source ? [source.value] : []));
  for (const value of retained) backend.retain(value);
  return { graph, feeds, outputs: tracedOutputs, retained, captured: retained.filter(isCaptured) };
}

export function releaseTrace(backend: OnnxBackend, trace: Trace): void {
  for (const value of trace.retained) backend.release(value);
}

/** A constant that the step made has no tensor any more; a weight from outside has. */
function isCaptured({ storage }: Value): boolean {
  return storage!.holders > 0;
}

/** What a recording computes, as text. */
export interface Listing {
  /** One an operation, then one an output, with numbers and all. */
  lines: string[];
  /** Tensors from outside of the step, and by which number the lines call them. */
  captured: ReadonlyMap<Storage, number>;
}

/**
 * Equal lines for recordings that compute the same.
 * @param before an earlier listing of the step, whose tensors are known again
 */
export function listing({ outputs, standIns, constants }: Recording, before?: Listing): Listing {
  const captured = new Map(before?.captured);
  const names = new Map<Value, string>();
  const nameOfBytes = (value: Value): string => {
    const storage = value.storage!;
    const input = standIns.get(storage) ?? storage.literal ?? constants.get(storage);
    if (input !== undefined) return input;
    if (!isCaptured(value)) return storage.host ? `constant#${fingerprint(storage.host)}` : "disposed tensor";
    const known = captured.get(storage);
    if (known === undefined && before) return `another tensor[${value.shape}]`;
    if (known === undefined) captured.set(storage, captured.size);
    return `tensor#${captured.get(storage)}[${value.shape}]${value.offset > 0 ? `from ${value.offset}` : ""}`;
  };
  const nameOf = (value: Value): string => (value.storage ? nameOfBytes(value) : names.get(value)!);
  const lines = reachable(outputs.map(({ value }) => value)).map(({ op, inputs, outputs, attributes }) => {
    const read = inputs.map(nameOf).join(" ");
    for (const output of outputs) names.set(output, `t${names.size}`);
    return attributes ? `${op} ${read} ${JSON.stringify(attributes)}` : `${op} ${read}`;
  });
  for (const { name, shape, value } of outputs) lines.push(`output ${name}[${shape}] ${nameOf(value)}`);
  return { lines, captured };
}

class Recorder implements TraceListener {
  readonly readers = new Map<Storage, string>();
  readonly constants = new Map<Storage, string>();

  constructor(private readonly label: string) {}

  onInput(kernelName: string, tensor: tf.TensorInfo, storage: Storage | undefined): void {
    if (tensor instanceof tf.Variable) {
      throw new JitError(
        `jit(${this.label}): ${kernelName} reads the variable "${tensor.name}", whose value a replay would freeze; ` +
          "pass it as an input of the step",
      );
    }
    if (storage && !this.readers.has(storage)) this.readers.set(storage, kernelName);
  }

  onConstant(storage: Storage): void {
    this.constants.set(storage, `constant#${fingerprint(storage.host!)}`);
  }

  onRead(value: Value): void {
    // Numbers that the step itself made are the same in every replay.
    if (value.storage?.literal !== undefined) return;
    throw new JitError(
      `jit(${this.label}): the step reads a tensor of shape [${value.shape}] in its middle (dataSync, data, array…), ` +
        "which a replay would not repeat; return the tensor and read it after the call",
    );
  }

  onBorrowed(kernelName: string): void {
    throw new JitError(
      `jit(${this.label}): the step uses ${kernelName}, which the onnx backend does not have and cannot replay`,
    );
  }
}

function checkOutputs(label: string, outputs: NamedTensors): NamedTensors {
  if ((outputs as unknown) instanceof Promise) {
    throw new JitError(`jit(${label}): the step must be synchronous, but it returned a promise`);
  }
  if (
    typeof outputs !== "object" ||
    outputs === null ||
    Array.isArray(outputs) ||
    (outputs as unknown) instanceof tf.Tensor
  ) {
    throw new JitError(`jit(${label}): the step must return an object of named tensors, such as { loss }`);
  }
  const own: NamedTensors = {};
  for (const [name, output] of Object.entries(outputs)) {
    if (!(output instanceof tf.Tensor)) throw new JitError(`jit(${label}): output "${name}" is not a tensor`);
    if (output.isDisposed) throw new JitError(`jit(${label}): output "${name}" was disposed inside the step`);
    // A clone may be disposed, whatever the output was: an input, a weight, or another output too.
    own[name] = tf.clone(output);
  }
  return own;
}

// Not read anew at each trace: a cut may have left the one that forbids.
const { assign } = tf.Variable.prototype;

/** `Variable.assign` runs no kernel that could be heard of. Returns what undoes it. */
function forbidAssign(label: string): () => void {
  tf.Variable.prototype.assign = function (this: tf.Variable) {
    throw new JitError(
      `jit(${label}): the step assigns the variable "${this.name}", which a replay would not repeat; ` +
        "return the new value as an output",
    );
  };
  return () => {
    tf.Variable.prototype.assign = assign;
  };
}

/** FNV-1a over 32-bit words, and the bytes behind the last one. */
function fingerprint(array: HostArray): string {
  const { buffer, byteOffset, byteLength } = array;
  const words = new Uint32Array(buffer as ArrayBuffer, byteOffset, byteLength >> 2);
  const rest = new Uint8Array(buffer as ArrayBuffer, byteOffset + 4 * words.length, byteLength & 3);
  let hash = 0x811c9dc5;
  for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  for (const byte of rest) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16);
}

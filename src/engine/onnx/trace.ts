import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "../../model/types.js";
import type { OnnxBackend, TraceListener } from "./backend.js";
import { JitError } from "./errors.js";
import { type Program, program } from "./program.js";
import { nextOrder, Storage, Value } from "./values.js";

/** Where a value of the graph comes from at a replay. */
export type Source = { input: string } | { value: Value };

export interface TracedOutput {
  name: string;
  shape: readonly number[];
  /** A number: which output of the graph. */
  from: number | Source;
}

/** A step as a graph of its inputs. */
export interface Trace {
  graph: Program;
  /** For each input of the graph. */
  feeds: Source[];
  outputs: TracedOutput[];
  /** One line an operation, numbers included: equal for steps that compute the same. */
  listing: string[];
  /** Which kernel first read a tensor from outside of the step. */
  readers: Map<Storage, string>;
  /** What the graph needs besides its inputs; kept until `releaseTrace`. */
  retained: Value[];
}

/**
 * Runs the step once on stand-ins for its inputs, only recording.
 * @throws JitError when the step does what a replay could not repeat
 */
export function traceStep(
  backend: OnnxBackend,
  label: string,
  step: (inputs: NamedTensors) => NamedTensors,
  inputs: NamedTensors,
): Trace {
  // Weights from outside must have bytes: what is pending now is not part of the step.
  backend.flush();
  const recorder = new Recorder(label);
  const standIns = new Map<Storage, string>();
  const restoreAssign = forbidAssign(label);
  backend.trace = recorder;
  try {
    const outputs = tf.tidy(() => {
      const arguments_: NamedTensors = {};
      for (const [name, input] of Object.entries(inputs)) {
        const standIn = new Value(input.shape, input.dtype as Value["type"], nextOrder());
        standIn.storage = new Storage();
        standIns.set(standIn.storage, name);
        arguments_[name] = tf.engine().makeTensorFromTensorInfo(backend.tensorInfo(standIn), backend);
      }
      return checkOutputs(label, step(arguments_)) as tf.TensorContainer;
    }) as NamedTensors;
    const trace = describe(backend, recorder, standIns, outputs);
    for (const value of trace.retained) backend.retain(value);
    tf.dispose(outputs);
    backend.abandonPending((shape) => {
      throw new JitError(
        `jit(${label}): the step keeps a tensor of shape [${shape}] that it made from its inputs ` +
          "(tf.keep?); return it as an output instead",
      );
    });
    return trace;
  } finally {
    backend.trace = undefined;
    restoreAssign();
  }
}

export function releaseTrace(backend: OnnxBackend, trace: Trace): void {
  for (const value of trace.retained) backend.release(value);
}

function describe(
  backend: OnnxBackend,
  recorder: Recorder,
  standIns: Map<Storage, string>,
  outputs: NamedTensors,
): Trace {
  const sourceOf = (value: Value): Source => {
    const input = standIns.get(value.storage!);
    return input === undefined ? { value } : { input };
  };
  const computed: Value[] = [];
  const tracedOutputs = Object.entries(outputs).map(([name, tensor]): TracedOutput => {
    const value = backend.kept(tensor);
    const { shape } = tensor;
    if (value.storage) return { name, shape, from: sourceOf(value) };
    if (!computed.includes(value)) computed.push(value);
    return { name, shape, from: computed.indexOf(value) };
  });
  const graph = program(computed, { share: true });
  const feeds = graph.feeds.map(sourceOf);
  const sources = [...feeds, ...tracedOutputs.map(({ from }) => from)];
  return {
    graph,
    feeds,
    outputs: tracedOutputs,
    retained: sources.flatMap((source) => (typeof source === "object" && "value" in source ? [source.value] : [])),
    listing: list(graph, recorder, standIns),
    readers: recorder.readers,
  };
}

function list({ nodes, taken }: Program, recorder: Recorder, standIns: Map<Storage, string>): string[] {
  const nameOf = (value: Value): string => {
    const storage = value.storage;
    if (!storage) return value.label;
    return standIns.get(storage) ?? storage.literal ?? recorder.constants.get(storage) ?? `tensor[${value.shape}]`;
  };
  return nodes.map((node) => `${node.op} ${node.inputs.map((value) => nameOf(taken(value))).join(" ")}`);
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
    this.constants.set(storage, `constant#${fingerprint(storage)}`);
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

/** FNV-1a over 32-bit words. */
function fingerprint({ host }: Storage): string {
  const bytes = host!;
  const words = new Uint32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength >> 2);
  let hash = 0x811c9dc5;
  for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  return (hash >>> 0).toString(16);
}

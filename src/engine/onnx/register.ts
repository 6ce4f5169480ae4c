import * as tf from "@tensorflow/tfjs";
import { type CpuBackend, cpuBackend, OnnxBackend } from "./backend.js";
import { kernels } from "./kernels/index.js";
import type { Kernel } from "./kernels/kernel.js";
import { narrowKernels } from "./kernels/narrow.js";
import type { Value } from "./values.js";

export const BACKEND_NAME = "onnx";

/** Makes every TensorFlow.js kernel known to the backend: those recorded here, and the cpu backend's for the rest. */
export function registerKernels(): void {
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    tf.registerKernel({ kernelName, backendName: BACKEND_NAME, kernelFunc: recorded(kernelName, kernel) });
  }
  tf.registerKernel({ kernelName: tf.Identity, backendName: BACKEND_NAME, kernelFunc: identity });
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend("cpu")) {
    if (kernelName in kernels || kernelName === tf.Identity) continue;
    tf.registerKernel({ kernelName, backendName: BACKEND_NAME, kernelFunc: borrowed(kernelName, kernelFunc) });
  }
}

let shared: Promise<OnnxBackend> | undefined;
let running: OnnxBackend | undefined;

/**
 * The one backend of this process, made when it is first asked for.
 * @throws what its start throws; TensorFlow.js's own way to a backend would only log that
 */
export function sharedBackend(): Promise<OnnxBackend> {
  if (!shared || running?.disposed) shared = startBackend();
  return shared;
}

async function startBackend(): Promise<OnnxBackend> {
  running = undefined;
  try {
    running = await OnnxBackend.start();
    return running;
  } catch (error) {
    // Another attempt may succeed.
    shared = undefined;
    throw error;
  }
}

type KernelCall = Parameters<tf.KernelFunc>[0];

function recorded(kernelName: string, kernel: Kernel): tf.KernelFunc {
  const takesNarrow = kernelName in narrowKernels;
  return ({ inputs, attrs, backend: anyBackend }: KernelCall) => {
    const backend = anyBackend as OnnxBackend;
    backend.beforeKernel();
    if (backend.trace) announce(backend, kernelName, inputs);
    if (isForeign(inputs, attrs)) {
      return onCpu(kernelName, tf.getKernel(kernelName, "cpu").kernelFunc, { inputs, attrs, backend });
    }
    const values = mapInputs(inputs, (input) => (takesNarrow ? backend.kept(input) : backend.value(input)));
    const result = kernel(values as never, (attrs ?? {}) as never, backend.settings);
    return Array.isArray(result) ? result.map((value) => backend.tensorInfo(value)) : backend.tensorInfo(result);
  };
}

/** The same bytes under the same id: TensorFlow.js counts ids to find leaks. */
function identity({ inputs, backend: anyBackend }: KernelCall): tf.TensorInfo {
  const { dataId, shape, dtype } = inputs.x!;
  const backend = anyBackend as OnnxBackend;
  if (backend.trace) announce(backend, "Identity", inputs);
  backend.incRef(dataId);
  return { dataId, shape, dtype };
}

/** Strings and complex numbers have no ONNX kernels. */
function isForeign(inputs: tf.NamedTensorInfoMap, attributes: unknown): boolean {
  const { dtype, value } = (attributes ?? {}) as { dtype?: string; value?: unknown };
  return isForeignType(dtype) || typeof value === "string" || some(inputs, (input) => isForeignType(input.dtype));
}

function isForeignType(dtype: string | undefined): boolean {
  return dtype === "string" || dtype === "complex64";
}

function announce(backend: OnnxBackend, kernelName: string, inputs: tf.NamedTensorInfoMap): void {
  some(inputs, (input) => {
    backend.trace!.onInput(kernelName, input, backend.foreign(input) ? undefined : backend.kept(input).storage);
    return false;
  });
}

const warned = new Set<string>();

function borrowed(kernelName: string, kernelFunc: tf.KernelFunc): tf.KernelFunc {
  return (call: KernelCall) => {
    const backend = call.backend as OnnxBackend;
    if (backend.trace) announce(backend, kernelName, call.inputs);
    if (!warned.has(kernelName) && !some(call.inputs, (input) => input.dtype === "string")) {
      warned.add(kernelName);
      console.warn(`kaisetsu: the onnx backend has no kernel ${kernelName}; the cpu backend computes it instead`);
    }
    return onCpu(kernelName, kernelFunc, call);
  };
}

/** Computes with the cpu backend: inputs are read, outputs come back as new tensors. */
function onCpu(kernelName: string, kernelFunc: tf.KernelFunc, { inputs, attrs, backend: anyBackend }: KernelCall) {
  const backend = anyBackend as OnnxBackend;
  if (backend.trace) backend.trace.onBorrowed(kernelName);
  const cpu = cpuBackend();
  const copies: tf.TensorInfo[] = [];
  const cpuInputs = mapInputs(inputs, (input) => {
    const kept = backend.foreign(input);
    if (kept) return kept;
    const copy = cpu.makeTensorInfo(input.shape, input.dtype, backend.readSync(input.dataId));
    copies.push(copy);
    // Some of the cpu backend's kernels read it, as if they were given a tensor.
    return Object.assign(copy, { rank: copy.shape.length });
  });
  const result = kernelFunc({ inputs: cpuInputs as unknown as tf.NamedTensorInfoMap, attrs, backend: cpu });
  const outputs = (Array.isArray(result) ? result : [result]).map((info) => adopt(backend, cpu, info));
  for (const copy of copies) cpu.disposeIntermediateTensorInfo(copy);
  return Array.isArray(result) ? outputs : outputs[0]!;
}

function adopt(backend: OnnxBackend, cpu: CpuBackend, info: tf.TensorInfo): tf.TensorInfo {
  if (info.dtype === "string" || info.dtype === "complex64") return backend.foreignInfo(info);
  const data = cpu.readSync(info.dataId) as Float32Array;
  const value = backend.store(data, info.shape, info.dtype as Value["type"]);
  cpu.disposeIntermediateTensorInfo(info);
  return backend.tensorInfo(value);
}

/** Whether a tensor among the inputs meets the condition. A list comes as an array, an optional input as undefined. */
function some(inputs: tf.NamedTensorInfoMap, condition: (input: tf.TensorInfo) => boolean): boolean {
  for (const name in inputs) {
    const input = inputs[name] as tf.TensorInfo | tf.TensorInfo[] | null | undefined;
    if (Array.isArray(input) ? input.some(condition) : input && condition(input)) return true;
  }
  return false;
}

function mapInputs<T>(inputs: tf.NamedTensorInfoMap, map: (input: tf.TensorInfo) => T): unknown {
  if (Array.isArray(inputs)) return inputs.map(map);
  const mapped: Record<string, unknown> = {};
  for (const name in inputs) {
    const input = inputs[name] as tf.TensorInfo | tf.TensorInfo[] | undefined;
    if (Array.isArray(input)) mapped[name] = input.map(map);
    else if (input) mapped[name] = map(input);
  }
  return mapped;
}

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { eagerEngine } from "../eager.js";
import { EngineError, EngineUnavailableError } from "../errors.js";
import type { Rung } from "../ladder.js";
import { loadPeer } from "../peers.js";
import { replaceKernels } from "../replace-kernels.js";
import { webgpuKernels } from "./kernels.js";

/**
 * TensorFlow.js's WebGPU backend over Dawn (the npm package `webgpu`): Vulkan, Metal or Direct3D 12. Experimental, only
 * by name. Both packages are optional peers.
 */
export const webgpuRung: Rung = {
  name: "webgpu",
  async start() {
    const dawn = await loadPeer("webgpu", async (path) => (await import(pathToFileURL(path).href)) as Dawn);
    // The backend refers to GPUBufferUsage and its like as globals.
    Object.assign(globalThis, dawn.globals);
    const adapter = await requestAdapter(dawn);
    const { WebGPUBackend } = await loadPeer(
      "@tensorflow/tfjs-backend-webgpu",
      (path) => createRequire(import.meta.url)(path) as TfjsWebgpu,
    );
    replaceKernels("webgpu", webgpuKernels);
    if (!tf.findBackendFactory("webgpu")) {
      const device = await adapter.requestDevice(wholeOf(adapter));
      tf.registerBackend("webgpu", () => mended(new WebGPUBackend(device, adapter.info)), 0);
    }
    if (!(await withNavigator(() => tf.setBackend("webgpu")))) {
      throw new EngineUnavailableError("the WebGPU backend of TensorFlow.js could not start");
    }
    const { vendor, architecture, description } = adapter.info;
    const name = [description, vendor, architecture].find((text) => text) ?? "unknown adapter";
    return eagerEngine("webgpu", "webgpu", `TensorFlow.js WebGPU over Dawn on ${name} (experimental)`);
  },
};

/** What we use of the packages, which may not be there to give their types. */
interface Dawn {
  create(options: string[]): { requestAdapter(options: object): Promise<Adapter | null> };
  globals: object;
}

interface Adapter {
  info: { vendor: string; architecture: string; description: string };
  features: { has(name: string): boolean };
  limits: Record<string, number>;
  requestDevice(descriptor: object): Promise<object>;
}

interface TfjsWebgpu {
  WebGPUBackend: new (device: object, info: object) => tf.KernelBackend;
}

let gpu: ReturnType<Dawn["create"]> | undefined;

async function requestAdapter(dawn: Dawn): Promise<Adapter> {
  gpu ??= dawn.create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter) return adapter;
  throw new EngineUnavailableError(
    "WebGPU found no adapter: it needs a graphics driver with Vulkan, Metal or Direct3D 12 (Debian: libvulkan1 and a driver)",
  );
}

/** The backend's constructor looks for `navigator.gpu`; left there, it would keep the process from ending. */
async function withNavigator<T>(start: () => Promise<T>): Promise<T> {
  const own = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "" }, configurable: true });
  try {
    return await start();
  } finally {
    if (own) Object.defineProperty(globalThis, "navigator", own);
    else delete (globalThis as { navigator?: unknown }).navigator;
  }
}

/** Reads, as other backends do them: of a tensor that is disposed meanwhile, and not by way of a canvas, which Node has not. */
function mended(backend: tf.KernelBackend): tf.KernelBackend {
  const read = backend.read.bind(backend);
  const readSync = backend.readSync.bind(backend);
  backend.read = async (dataId) => {
    backend.incRef(dataId);
    try {
      return await read(dataId);
    } finally {
      if (backend.disposeData(dataId)) tf.engine().removeDataId(dataId, backend);
    }
  };
  backend.readSync = (dataId) => {
    try {
      return readSync(dataId);
    } catch (error) {
      if (!(error instanceof ReferenceError)) throw error;
      throw new EngineError("the webgpu engine cannot read a tensor at once in Node.js: use `await tensor.data()`");
    }
  };
  return backend;
}

/** Asks for the adapter's own limits: the default allows tensors of 128 MiB only. */
function wholeOf(adapter: Adapter): object {
  const limits = [
    "maxComputeWorkgroupStorageSize",
    "maxComputeWorkgroupsPerDimension",
    "maxStorageBufferBindingSize",
    "maxBufferSize",
    "maxComputeWorkgroupSizeX",
    "maxComputeInvocationsPerWorkgroup",
  ];
  return { requiredLimits: Object.fromEntries(limits.map((limit) => [limit, adapter.limits[limit]])) };
}

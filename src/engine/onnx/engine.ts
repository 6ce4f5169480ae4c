import * as tf from "@tensorflow/tfjs";
import { EngineUnavailableError } from "../errors.js";
import type { Rung } from "../ladder.js";
import type { Engine, EngineOptions } from "../types.js";
import type { OnnxBackend } from "./backend.js";
import { checkDevice, tryDevice } from "./devices.js";
import { onnxJit } from "./jit.js";
import { BACKEND_NAME, sharedBackend } from "./register.js";
import { defaultSettings, runtimeVersion } from "./runtime.js";

/** ONNX Runtime through our own lazy backend: the default wherever its native library loads. */
export const onnxRung: Rung = {
  name: "onnx",
  async start(options) {
    const backend = await findBackend();
    const settings = { ...defaultSettings, ...definedOnly(options) };
    if (settings.device !== "cpu") checkDevice(settings.device);
    backend.configure(settings);
    await tf.setBackend(BACKEND_NAME);
    if (settings.device !== "cpu") await tryDevice(settings.device);
    return onnxEngine(
      backend,
      `ONNX Runtime ${runtimeVersion()} on ${settings.device === "cpu" ? "the CPU" : settings.device}, ` +
        `${settings.threads} thread${settings.threads === 1 ? "" : "s"}`,
    );
  },
};

async function findBackend(): Promise<OnnxBackend> {
  try {
    return await sharedBackend();
  } catch (error) {
    const [firstLine] = (error as Error).message.split("\n");
    throw new EngineUnavailableError(`ONNX Runtime could not be loaded: ${firstLine}`);
  }
}

function onnxEngine(backend: OnnxBackend, description: string): Engine {
  return {
    name: "onnx",
    backend: BACKEND_NAME,
    tracesShapes: true,
    defers: true,
    description,
    jit: (step, options) => onnxJit(backend, step, options?.name ?? (step.name || "step"), options),
  };
}

function definedOnly({ threads, device }: EngineOptions): Partial<{ threads: number; device: string }> {
  return { ...(threads !== undefined && { threads }), ...(device !== undefined && { device }) };
}

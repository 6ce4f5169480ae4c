import { readdirSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { EngineUnavailableError } from "../errors.js";
import { type RuntimeDevice, runtimeDevices, runtimeFolder, runtimeVersion } from "./runtime.js";

/** What a device needs beyond ONNX Runtime's own library. */
const needs: Record<string, string> = {
  cuda: "an NVIDIA driver, CUDA 12 and cuDNN 9",
  tensorrt: "an NVIDIA driver, CUDA 12, cuDNN 9 and TensorRT",
  webgpu: "a graphics driver with Vulkan, Metal or Direct3D 12",
};

/**
 * Asks before anything is tried, since ONNX Runtime's own words for a missing library name a file and no remedy.
 * @throws EngineUnavailableError when ONNX Runtime has no such device here, or its library is not installed
 */
export function checkDevice(device: string): void {
  const devices = runtimeDevices();
  const known = devices.find(({ name }) => name === device);
  if (!known) {
    throw new EngineUnavailableError(
      `ONNX Runtime ${runtimeVersion()} for ${process.platform} ${process.arch} knows no device "${device}"; ` +
        `choose one of ${devices.map(({ name }) => name).join(", ")}`,
    );
  }
  if (isInstalled(known)) return;
  throw new EngineUnavailableError(
    `the library of ONNX Runtime for "${device}" is not installed. On a machine with ${needs[device] ?? "the device"} run ` +
      "`ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node`, which downloads it from nuget.org",
  );
}

/** Computes something there. @throws EngineUnavailableError with ONNX Runtime's reason when that fails */
export async function tryDevice(device: string): Promise<void> {
  const sum = tf.tidy(() => tf.add(tf.ones([2]), 1));
  try {
    await sum.data();
  } catch (error) {
    throw new EngineUnavailableError(
      `ONNX Runtime cannot compute on "${device}" here, which needs ${needs[device] ?? "the device"}: ` +
        reasonOf(error as Error),
    );
  } finally {
    sum.dispose();
  }
}

/** Large libraries are not part of the npm package: its install step downloads them, unless it is told to skip that. */
function isInstalled({ name, bundled }: RuntimeDevice): boolean {
  return bundled || readdirSync(runtimeFolder()).some((file) => file.includes(`onnxruntime_providers_${name}`));
}

/** Without file, line and condition of the C++ code that found it. */
function reasonOf({ message }: Error): string {
  const [firstLine] = message.split("\n");
  return firstLine!.replace(/^.*was false\. /, "");
}

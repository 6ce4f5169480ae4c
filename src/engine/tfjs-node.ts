import { createRequire } from "node:module";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { eagerEngine } from "./eager.js";
import { EngineUnavailableError } from "./errors.js";
import type { Rung } from "./ladder.js";

/**
 * Google's native backends. Optional peers, never dependencies: their install step downloads libtensorflow from outside
 * npm, and the GPU one binds CUDA 11.2.
 */
export const tfjsNodeGpuRung: Rung = {
  name: "tfjs-node-gpu",
  async start() {
    const module = requirePeer("@tensorflow/tfjs-node-gpu");
    const previous = tf.getBackend();
    await tf.setBackend("tensorflow");
    // Without a usable CUDA the package computes on the CPU and says nothing.
    const { isUsingGpuDevice } = tf.backend() as unknown as { isUsingGpuDevice?: boolean };
    if (!isUsingGpuDevice) {
      if (previous) await tf.setBackend(previous);
      throw new EngineUnavailableError(
        "@tensorflow/tfjs-node-gpu is installed but found no GPU (it needs an NVIDIA driver, CUDA 11.2 and cuDNN 8.1)",
      );
    }
    return eagerEngine("tfjs-node-gpu", "tensorflow", describe("@tensorflow/tfjs-node-gpu", module, "GPU"));
  },
};

export const tfjsNodeRung: Rung = {
  name: "tfjs-node",
  async start() {
    const module = requirePeer("@tensorflow/tfjs-node");
    await tf.setBackend("tensorflow");
    return eagerEngine("tfjs-node", "tensorflow", describe("@tensorflow/tfjs-node", module, "CPU"));
  },
};

interface TfjsNode {
  version?: Record<string, string>;
}

function requirePeer(name: string): TfjsNode {
  const require = createRequire(import.meta.url);
  const path = resolvePeer(require, name);
  if (!path) throw new EngineUnavailableError(`the package ${name} is not installed (npm install ${name})`);
  restoreRemovedUtil(require("node:util"));
  try {
    return require(path) as TfjsNode;
  } catch (error) {
    const firstLine = (error as Error).message.split("\n")[0];
    throw new EngineUnavailableError(`${name} is installed but could not be loaded: ${firstLine}`);
  }
}

/** Beside kaisetsu, or in the project that the notebook runs in. */
function resolvePeer(require: NodeJS.Require, name: string): string | undefined {
  for (const from of [require, createRequire(join(process.cwd(), "package.json"))]) {
    try {
      return from.resolve(name);
    } catch {
      // Not here; perhaps in the next place.
    }
  }
  return undefined;
}

/** Node 23 removed `util.isNullOrUndefined`, which tfjs-node 4.22 calls for every tensor. */
function restoreRemovedUtil(util: { isNullOrUndefined?: (value: unknown) => boolean }): void {
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
}

function describe(name: string, module: TfjsNode, device: string): string {
  const version = module.version?.["tfjs-node"] ?? "unknown version";
  return `${name} ${version} (libtensorflow) on the ${device}`;
}

import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import * as tf from "@tensorflow/tfjs";
import { eagerEngine } from "./eager.js";
import { EngineUnavailableError } from "./errors.js";
import type { Rung } from "./ladder.js";
import { loadPeer } from "./peers.js";

/**
 * Google's native backends. Optional peers, never dependencies: their install step downloads libtensorflow from outside
 * npm, and the GPU one binds CUDA 11.2.
 */
export const tfjsNodeGpuRung: Rung = {
  name: "tfjs-node-gpu",
  async start() {
    const module = await requireTfjsNode("@tensorflow/tfjs-node-gpu");
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
  async start({ threads = availableParallelism() }) {
    // Read when the library starts, once in a process.
    process.env.TF_NUM_INTRAOP_THREADS ??= String(threads);
    const module = await requireTfjsNode("@tensorflow/tfjs-node");
    await tf.setBackend("tensorflow");
    const started = Number(process.env.TF_NUM_INTRAOP_THREADS);
    const device = `CPU, ${started} thread${started === 1 ? "" : "s"}`;
    return eagerEngine("tfjs-node", "tensorflow", describe("@tensorflow/tfjs-node", module, device));
  },
};

interface TfjsNode {
  version?: Record<string, string>;
}

function requireTfjsNode(name: string): Promise<TfjsNode> {
  const require = createRequire(import.meta.url);
  restoreRemovedUtil(require("node:util"));
  return loadPeer(name, (path) => require(path) as TfjsNode);
}

/** Node 23 removed `util.isNullOrUndefined`, which tfjs-node 4.22 calls for every tensor. */
function restoreRemovedUtil(util: { isNullOrUndefined?: (value: unknown) => boolean }): void {
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
}

function describe(name: string, module: TfjsNode, device: string): string {
  const version = module.version?.["tfjs-node"] ?? "unknown version";
  const { binding } = tf.backend() as unknown as { binding?: { TF_Version?: string } };
  return `${name} ${version} (libtensorflow ${binding?.TF_Version ?? "of unknown version"}) on the ${device}`;
}

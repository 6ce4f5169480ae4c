import { statfs } from "node:fs/promises";
import type { CausalLM } from "../model/types.js";
import { CheckpointError } from "./errors.js";

/**
 * Before hours of training: is there room for one checkpoint at all?
 * @throws CheckpointError when there surely is not
 */
export async function checkDiskSpace(outputDir: string, model: CausalLM, onlyModel: boolean): Promise<void> {
  const { trainable } = model.parameterCounts();
  // At the least: 16-bit weights, and two float32 moments.
  const needed = trainable * (onlyModel ? 2 : 2 + 8);
  const { bavail, bsize } = await statfs(outputDir).catch(() => ({ bavail: Number.POSITIVE_INFINITY, bsize: 1 }));
  const free = bavail * bsize;
  if (free >= needed) return;
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  throw new CheckpointError(
    `A checkpoint of this run takes at least ${megabytes(needed)}, and the disk of ${outputDir} has ${megabytes(free)} left. ` +
      'Free some space, choose another output_dir, or set save_only_model or save_strategy: "no".',
  );
}

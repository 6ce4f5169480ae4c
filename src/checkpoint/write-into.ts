import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError } from "./errors.js";
import { advice } from "./file-errors.js";
import { flush } from "./manifest.js";

/**
 * Writes files into a folder that may hold others, so that a kill never leaves one of them half written: into a folder
 * beside them, flushed, then each moved to its place.
 */
export async function writeInto(dir: string, write: (dir: string) => Promise<void>): Promise<void> {
  const staging = join(dir, `tmp-model-${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(staging, { recursive: true });
    await write(staging);
    for (const { name } of await readdir(staging, { withFileTypes: true })) {
      await flush(join(staging, name));
    }
    const names = await readdir(staging);
    for (const name of names) {
      // A folder in the place of a folder cannot be renamed over.
      if ((await stat(join(staging, name))).isDirectory()) await rm(join(dir, name), { recursive: true, force: true });
      await rename(join(staging, name), join(dir, name));
    }
    const isWeights = (name: string) => /^(adapter_)?model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(name);
    const written = names.filter(isWeights);
    if (written.length > 0) {
      // Shards of an earlier model would be loaded instead of, or together with, the new one.
      const stale = (await readdir(dir)).filter((name) => isWeights(name) && !written.includes(name));
      for (const name of stale) if (kindOf(name) === kindOf(written[0]!)) await rm(join(dir, name));
    }
    await flush(dir);
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code) throw error;
    const message = `Could not write into ${dir}: ${(error as Error).message}. ${advice(error)}`;
    throw new CheckpointError(message.trimEnd(), { cause: error });
  } finally {
    await rm(staging, { recursive: true, force: true }).catch(() => {});
  }
}

function kindOf(name: string): "adapter" | "model" {
  return name.startsWith("adapter_") ? "adapter" : "model";
}

import { randomBytes } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { inspectCheckpoint, listCheckpoints } from "./find.js";
import { readManifest } from "./manifest.js";

/** What may be deleted once a checkpoint is in its place. */
export interface Rotation {
  run_id: string;
  /** `save_total_limit`. */
  limit: number | null;
  best?: string | null;
}

/**
 * Deletes old checkpoints of this run until `limit` are left (`save_total_limit`). The newest and the best always stay, so
 * one more than `limit` may be left; damaged ones and those of other runs are neither counted nor deleted.
 *
 * One that cannot be deleted does no harm yet: that is said, and no error.
 * @param say gets a line about what was kept although it is one too many
 */
export async function rotateCheckpoints(
  outputDir: string,
  options: Rotation & { newest: string },
  say: (line: string) => void,
): Promise<void> {
  if (options.limit === null || options.limit <= 0) return;
  const own: string[] = [];
  for (const { dir } of await listCheckpoints(outputDir)) {
    const manifest = await readManifest(dir).catch(() => undefined);
    if (manifest?.run_id === options.run_id) own.push(dir);
  }
  const named = [options.newest, options.best].flatMap((dir) => (dir ? [resolve(dir)] : []));
  const kept = new Set(own.filter((dir) => named.includes(resolve(dir))));
  const target = Math.max(options.limit, kept.size);
  if (own.length > target) await keepAWholeOne(own, kept);
  let left = own.length;
  // listCheckpoints gives the newest first.
  for (const dir of own.reverse()) {
    if (left <= target) break;
    if (kept.has(dir)) continue;
    left -= 1;
    const { state, reason } = await inspectCheckpoint(dir);
    if (state !== "whole") {
      say(`${dir} is damaged (${reason}); it is kept, and no longer counts for save_total_limit.`);
      continue;
    }
    await remove(dir).catch((error) => say(`${dir} could not be deleted for save_total_limit: ${error.message}.`));
  }
}

/** Deleting the others must not leave only damaged ones. The newest is looked at first: it is hardly ever damaged. */
async function keepAWholeOne(newestFirst: string[], kept: Set<string>): Promise<void> {
  const isWhole = async (dir: string) => (await inspectCheckpoint(dir)).state === "whole";
  for (const dir of [...newestFirst.filter((one) => kept.has(one)), ...newestFirst.filter((one) => !kept.has(one))]) {
    if (!(await isWhole(dir))) continue;
    kept.add(dir);
    return;
  }
}

/** Out of sight first, so that a kill in the middle leaves no half checkpoint under a checkpoint's name. */
async function remove(dir: string): Promise<void> {
  const doomed = dir.replace(/checkpoint-(\d+)$/, `tmp-checkpoint-$1-${randomBytes(4).toString("hex")}`);
  await rename(dir, doomed);
  await rm(doomed, { recursive: true, force: true });
}

import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CheckpointError } from "./errors.js";
import { advice } from "./file-errors.js";
import { inspectCheckpoint, listCheckpoints } from "./find.js";
import { confirmLock } from "./lock.js";
import { flush, makeManifest, manifestName, readManifest } from "./manifest.js";

const stagingPattern = /^tmp-checkpoint-\d+-[0-9a-f]{8}$/;
const replacedPattern = /^replaced-checkpoint-(\d+)-[0-9a-f]{8}$/;
const draftPattern =
  /^(tmp-model-[0-9a-f]{8}|(trainer_state|training_config)\.json\.tmp|\.kaisetsu-training\.lock\.\d+-[0-9a-f]{8})$/;

/**
 * Writes `checkpoint-<step>` so that it appears under its name only when whole: into a folder beside it, flushed to disk,
 * manifest last, then renamed. When anything fails nothing of it remains, and older checkpoints are as they were.
 *
 * A checkpoint of that name is replaced when this run wrote it; anything else of that name is kept under another one.
 * @param write puts the files into the folder that it gets
 * @returns the checkpoint's folder
 * @throws CheckpointError with the file system's error as `cause`
 */
export async function writeCheckpoint(
  outputDir: string,
  run: { run_id: string; global_step: number },
  write: (dir: string) => Promise<void>,
): Promise<string> {
  const name = `checkpoint-${run.global_step}`;
  const target = join(outputDir, name);
  const staging = join(outputDir, `tmp-${name}-${suffix()}`);
  try {
    confirmLock(outputDir);
    // Not `recursive`: a folder that has vanished may be an unmounted disk, whose place must not be filled.
    await mkdir(staging);
    await write(staging);
    const manifest = await makeManifest(staging, run);
    await writeFile(join(staging, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
    await flushFolders(staging);
    const replaced = await makeWay(outputDir, name, run.run_id);
    await rename(staging, target);
    await flush(outputDir);
    if (replaced) await rm(replaced, { recursive: true, force: true });
    return target;
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => {});
    throw await explained(error as NodeJS.ErrnoException, outputDir, target);
  }
}

/**
 * Removes what a run that was killed left behind: half-written checkpoints. A whole checkpoint that was about to be
 * replaced gets its name back.
 * @returns one line for each thing done
 */
export async function cleanLeftovers(outputDir: string): Promise<string[]> {
  const done: string[] = [];
  const names = await readdir(outputDir).catch(() => [] as string[]);
  for (const name of names) {
    if (stagingPattern.test(name)) {
      await rm(join(outputDir, name), { recursive: true, force: true });
      done.push(`removed ${name}, a checkpoint that an interrupted run had not finished`);
    }
    if (draftPattern.test(name)) {
      await rm(join(outputDir, name), { recursive: true, force: true });
      done.push(`removed ${name}, a file that an interrupted run had not finished`);
    }
  }
  return [...done, ...(await settleReplaced(outputDir, true))];
}

/** Gives a checkpoint its name back that a killed run was about to replace. Deletes nothing. @returns as `cleanLeftovers` */
export function restoreReplaced(outputDir: string): Promise<string[]> {
  return settleReplaced(outputDir, false);
}

async function settleReplaced(outputDir: string, mayRemove: boolean): Promise<string[]> {
  const done: string[] = [];
  const names = await readdir(outputDir).catch(() => [] as string[]);
  for (const name of names) {
    const original = `checkpoint-${replacedPattern.exec(name)?.[1]}`;
    if (!replacedPattern.test(name)) continue;
    if (!names.includes(original)) {
      await rename(join(outputDir, name), join(outputDir, original));
      done.push(`restored ${original}, which an interrupted run was about to replace`);
    } else if (mayRemove && (await inspectCheckpoint(join(outputDir, original))).state === "whole") {
      await rm(join(outputDir, name), { recursive: true, force: true });
      done.push(`removed ${name}, which ${original} had replaced`);
    }
  }
  return done;
}

/**
 * Writes files into a folder that may hold others, so that a kill never leaves one of them half written: into a folder
 * beside them, flushed, then each moved to its place.
 */
export async function writeInto(dir: string, write: (dir: string) => Promise<void>): Promise<void> {
  const staging = join(dir, `tmp-model-${suffix()}`);
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

/**
 * Deletes old checkpoints of this run until `limit` are left (`save_total_limit`). The newest and the best always stay, so
 * one more than `limit` may be left; damaged ones and those of other runs are neither counted nor deleted.
 * @returns the names deleted
 */
export async function rotateCheckpoints(
  outputDir: string,
  options: { run_id: string; limit: number | null; newest: string; best?: string | null },
): Promise<string[]> {
  if (options.limit === null || options.limit <= 0) return [];
  const own: string[] = [];
  for (const { dir } of await listCheckpoints(outputDir)) {
    const manifest = await readManifest(dir).catch(() => undefined);
    if (manifest?.run_id === options.run_id) own.push(dir);
  }
  const named = [options.newest, options.best].flatMap((dir) => (dir ? [resolve(dir)] : []));
  const kept = new Set(own.filter((dir) => named.includes(resolve(dir))));
  const target = Math.max(options.limit, kept.size);
  if (own.length > target) await keepAWholeOne(own, kept);
  const deleted: string[] = [];
  // listCheckpoints gives the newest first.
  for (const dir of own.reverse()) {
    if (own.length - deleted.length <= target) break;
    if (kept.has(dir)) continue;
    const { state, reason } = await inspectCheckpoint(dir);
    if (state !== "whole") {
      console.warn(`kaisetsu: ${dir} is damaged (${reason}); it is kept, and no longer counts for save_total_limit.`);
    } else {
      await remove(dir);
    }
    deleted.push(dir);
  }
  return deleted;
}

function kindOf(name: string): "adapter" | "model" {
  return name.startsWith("adapter_") ? "adapter" : "model";
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
  const doomed = dir.replace(/checkpoint-(\d+)$/, `tmp-checkpoint-$1-${suffix()}`);
  await rename(dir, doomed);
  await rm(doomed, { recursive: true, force: true });
}

/** Frees the name. @returns the folder to delete once the new one is in place, if it is this run's own */
async function makeWay(outputDir: string, name: string, runId: string): Promise<string | undefined> {
  const target = join(outputDir, name);
  const existing = await inspectCheckpoint(target);
  if (existing.state === "missing") return undefined;
  const own = existing.state === "whole" && existing.manifest?.run_id === runId;
  const aside = join(outputDir, `${own ? "replaced" : "kept"}-${name}-${suffix()}`);
  await rename(target, aside);
  if (own) return aside;
  const what = existing.state === "damaged" ? `damaged (${existing.reason})` : "from another run";
  console.warn(`kaisetsu: ${target} is ${what}; it is kept as ${aside}.`);
  return undefined;
}

async function explained(error: NodeJS.ErrnoException, outputDir: string, target: string): Promise<Error> {
  if (error instanceof CheckpointError) return error;
  const kept = await listCheckpoints(outputDir).then(
    ([left]) => (left ? `The last checkpoint, ${left.dir}, is untouched.` : "No earlier checkpoint is there."),
    () => "Earlier checkpoints are untouched.",
  );
  const message = [`Could not write ${target}: ${error.message}.`, advice(error), kept].filter(Boolean).join(" ");
  return new CheckpointError(message, { cause: error });
}

async function flushFolders(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) await flush(join(entry.parentPath, entry.name));
  }
  await flush(dir);
}

function suffix(): string {
  return randomBytes(4).toString("hex");
}

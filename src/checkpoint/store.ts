import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CheckpointError } from "./errors.js";
import { inspectCheckpoint, listCheckpoints } from "./find.js";
import { flush, makeManifest, manifestName, readManifest } from "./manifest.js";

const stagingPattern = /^tmp-checkpoint-\d+-[0-9a-f]{8}$/;
const replacedPattern = /^replaced-checkpoint-(\d+)-[0-9a-f]{8}$/;

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
    await mkdir(staging, { recursive: true });
    await write(staging);
    const manifest = await makeManifest(staging, run);
    await writeFile(join(staging, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
    await flush(staging);
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
    const replaced = replacedPattern.exec(name);
    if (!replaced) continue;
    const original = `checkpoint-${replaced[1]}`;
    if (names.includes(original)) {
      await rm(join(outputDir, name), { recursive: true, force: true });
      done.push(`removed ${name}, which ${original} had replaced`);
    } else {
      await rename(join(outputDir, name), join(outputDir, original));
      done.push(`restored ${original}, which an interrupted run was about to replace`);
    }
  }
  return done;
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

async function explained(error: NodeJS.ErrnoException, outputDir: string, target: string): Promise<CheckpointError> {
  const left = (await listCheckpoints(outputDir).catch(() => []))[0];
  const kept = left ? `The last checkpoint, ${left.dir}, is untouched.` : "No earlier checkpoint is there.";
  const advice = adviceFor[error.code ?? ""] ?? "";
  return new CheckpointError(`Could not write ${target}: ${error.message}. ${advice}${kept}`, { cause: error });
}

const adviceFor: Record<string, string> = {
  ENOSPC: "The disk is full: free some space, or set save_total_limit or save_only_model. ",
  EDQUOT: "The disk quota is used up: free some space, or set save_total_limit or save_only_model. ",
  EROFS: "The file system is read-only: choose another output_dir. ",
  EACCES: "Writing is not permitted there: check the folder's permissions or choose another output_dir. ",
  EPERM: "Writing is not permitted there: check the folder's permissions or choose another output_dir. ",
  ENOENT: "A folder has vanished while training. ",
  EMFILE: "Too many files are open (see `ulimit -n`). ",
  ENFILE: "Too many files are open on this machine. ",
};

function suffix(): string {
  return randomBytes(4).toString("hex");
}

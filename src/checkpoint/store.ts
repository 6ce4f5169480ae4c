import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CheckpointError } from "./errors.js";
import { advice } from "./file-errors.js";
import { inspectCheckpoint, listCheckpoints } from "./find.js";
import { confirmLock } from "./lock.js";
import { flush, makeManifest, manifestName } from "./manifest.js";

/** A checkpoint whose files are all there, but not yet flushed to disk, nor listed, nor under its name. */
export interface StagedCheckpoint {
  output_dir: string;
  /** The folder beside its place that holds the files. */
  staging: string;
  run: { run_id: string; global_step: number };
}

/**
 * The first half of a save: writes the files of `checkpoint-<step>` into a folder beside its place. Once they are there (in
 * the system's cache, which so holds the only copy) training may change the model. When anything fails nothing remains.
 * @param write puts the files into the folder that it gets
 * @throws CheckpointError with the file system's error as `cause`
 */
export async function stageCheckpoint(
  outputDir: string,
  run: { run_id: string; global_step: number },
  write: (dir: string) => Promise<void>,
): Promise<StagedCheckpoint> {
  const staging = join(outputDir, `tmp-checkpoint-${run.global_step}-${suffix()}`);
  const staged = { output_dir: outputDir, staging, run };
  try {
    confirmLock(outputDir);
    // Not `recursive`: a folder that has vanished may be an unmounted disk, whose place must not be filled.
    await mkdir(staging);
    await write(staging);
    return staged;
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => {});
    throw await explained(error as NodeJS.ErrnoException, staged);
  }
}

/**
 * The second half: flushes the files to disk, lists them in the manifest, and only then gives the folder its name. When
 * anything fails nothing of it remains, and older checkpoints are as they were.
 *
 * A checkpoint of that name is replaced when this run wrote it; anything else of that name is kept under another one.
 * @param say gets a line about what was kept
 * @returns the checkpoint's folder
 * @throws CheckpointError with the file system's error as `cause`
 */
export async function commitCheckpoint(staged: StagedCheckpoint, say: (line: string) => void): Promise<string> {
  const { output_dir, staging, run } = staged;
  const target = targetOf(staged);
  try {
    const manifest = await makeManifest(staging, run);
    await writeFile(join(staging, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
    await flushFolders(staging);
    const replaced = await makeWay(target, run.run_id, say);
    await rename(staging, target);
    await flush(output_dir);
    if (replaced) await rm(replaced, { recursive: true, force: true });
    return target;
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => {});
    throw await explained(error as NodeJS.ErrnoException, staged);
  }
}

function targetOf({ output_dir, run }: StagedCheckpoint): string {
  return join(output_dir, `checkpoint-${run.global_step}`);
}

/** Frees the name. @returns the folder to delete once the new one is in place, if it is this run's own */
async function makeWay(target: string, runId: string, say: (line: string) => void): Promise<string | undefined> {
  const existing = await inspectCheckpoint(target);
  if (existing.state === "missing") return undefined;
  const own = existing.state === "whole" && existing.manifest?.run_id === runId;
  const aside = join(dirname(target), `${own ? "replaced" : "kept"}-${basename(target)}-${suffix()}`);
  await rename(target, aside);
  if (own) return aside;
  const what = existing.state === "damaged" ? `damaged (${existing.reason})` : "from another run";
  say(`${target} is ${what}; it is kept as ${aside}.`);
  return undefined;
}

/** The error of a save in the words that its reader needs: which checkpoint, why, what to do, what is left. */
export async function explained(error: NodeJS.ErrnoException, staged: StagedCheckpoint): Promise<CheckpointError> {
  if (error instanceof CheckpointError) return error;
  const kept = await listCheckpoints(staged.output_dir).then(
    ([left]) => (left ? `The last checkpoint, ${left.dir}, is untouched.` : "No earlier checkpoint is there."),
    () => "Earlier checkpoints are untouched.",
  );
  const message = [`Could not write ${targetOf(staged)}: ${error.message}.`, advice(error), kept]
    .filter(Boolean)
    .join(" ");
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

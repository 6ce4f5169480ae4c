import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { SafetensorsFile } from "../model/files/safetensors.js";
import { TrainerState } from "../training/state.js";
import { findDamage, type Manifest, manifestName, readManifest } from "./manifest.js";

export interface CheckpointFolder {
  dir: string;
  step: number;
}

/**
 * - `missing`: nothing is there;
 * - `whole`: ours, and everything is as its manifest says;
 * - `python`: written by Python's Trainer: weights and `trainer_state.json` can be read, the optimizer cannot;
 * - `damaged`: not to be used, `reason` says why.
 */
export type Inspection =
  | { state: "missing"; reason: string; manifest?: undefined; trainerState?: undefined }
  | { state: "whole"; reason: string; manifest: Manifest; trainerState: TrainerState }
  | { state: "python"; reason: string; manifest?: undefined; trainerState: TrainerState }
  | { state: "damaged"; reason: string; manifest?: Manifest; trainerState?: undefined };

/** `checkpoint-<number>` folders, newest (highest number) first. Other names (`checkpoint-0007`, `checkpoint-1e3`) are not checkpoints. */
export async function listCheckpoints(outputDir: string): Promise<CheckpointFolder[]> {
  let entries: import("node:fs").Dirent[];
  try {
    entries = await readdir(outputDir, { withFileTypes: true });
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
  return entries
    .map((entry) => ({ entry, match: /^checkpoint-(0|[1-9]\d{0,14})$/.exec(entry.name) }))
    .filter(({ entry, match }) => match && !entry.isFile())
    .map(({ entry, match }) => ({ dir: join(outputDir, entry.name), step: Number(match![1]) }))
    .sort((a, b) => b.step - a.step);
}

/** Looks at every byte of a checkpoint. Never throws for what is wrong with it. */
export async function inspectCheckpoint(dir: string): Promise<Inspection> {
  const found = await stat(dir).catch(() => undefined);
  if (!found) return { state: "missing", reason: "it does not exist" };
  if (!found.isDirectory()) return damaged("it is not a folder");
  let manifest: Manifest;
  try {
    manifest = await readManifest(dir);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (missing && !(await isOurs(dir))) return inspectPython(dir);
    return damaged(
      missing ? `${manifestName} is missing` : `${manifestName} cannot be read: ${(error as Error).message}`,
    );
  }
  let reason: string | undefined;
  try {
    reason = await findDamage(dir, manifest);
  } catch (error) {
    reason = (error as Error).message;
  }
  if (reason) return damaged(reason, manifest);
  const read = await readState(dir);
  if (typeof read === "string") return damaged(read, manifest);
  const named = /^checkpoint-(\d+)$/.exec(basename(dir))?.[1];
  if (named !== undefined && Number(named) !== manifest.global_step) {
    return damaged(`it is named for step ${named}, and is of step ${manifest.global_step}`, manifest);
  }
  return { state: "whole", reason: "every file matches its manifest", manifest, trainerState: read };
}

/**
 * The newest checkpoint from which training can go on, and those newer ones that had to be passed over, with reasons.
 * Where several runs have left checkpoints, those of the run that saved last come first, whatever their numbers.
 * It deletes nothing.
 */
export async function findNewestCheckpoint(
  outputDir: string,
): Promise<{ checkpoint?: CheckpointFolder & { inspection: Inspection }; skipped: { dir: string; reason: string }[] }> {
  const skipped: { dir: string; reason: string }[] = [];
  for (const folder of await inOrderOfRuns(await listCheckpoints(outputDir))) {
    const inspection = await inspectCheckpoint(folder.dir);
    if (inspection.state === "whole" || inspection.state === "python") {
      return { checkpoint: { ...folder, inspection }, skipped };
    }
    skipped.push({ dir: folder.dir, reason: inspection.reason });
  }
  return { skipped };
}

async function inOrderOfRuns(folders: CheckpointFolder[]): Promise<CheckpointFolder[]> {
  const latest = new Map<string, number>();
  const tagged: { folder: CheckpointFolder; run: string | undefined }[] = [];
  for (const folder of folders) {
    const manifest = await readManifest(folder.dir).catch(() => undefined);
    const python = manifest ? undefined : await stat(join(folder.dir, "training_args.bin")).catch(() => undefined);
    const run = manifest?.run_id ?? (python ? "python" : undefined);
    if (run !== undefined) {
      const time = manifest ? Date.parse(manifest.created) : python!.mtimeMs;
      latest.set(run, Math.max(latest.get(run) ?? 0, time));
    }
    tagged.push({ folder, run });
  }
  const newestRun = [...latest].sort(([, a], [, b]) => b - a)[0]?.[0];
  // One whose run cannot be told is looked at together with the newest run's.
  const time = (run: string | undefined) => latest.get(run ?? newestRun ?? "") ?? 0;
  return tagged.sort((a, b) => time(b.run) - time(a.run) || b.folder.step - a.folder.step).map(({ folder }) => folder);
}

async function inspectPython(dir: string): Promise<Inspection> {
  const read = await readState(dir);
  if (typeof read === "string") return damaged(read);
  const names = await readdir(dir);
  const weights = names.filter((name) => /^(adapter_)?model(-\d+-of-\d+)?\.safetensors$/.test(name));
  if (weights.length === 0) {
    const pickled = names.filter((name) => /^(adapter_model|pytorch_model).*\.bin$/.test(name));
    const why =
      pickled.length > 0 ? `; ${pickled.join(", ")} is a Python pickle: save it with save_safetensors=True` : "";
    return damaged(`it holds no adapter_model.safetensors or model.safetensors${why}`);
  }
  for (const name of weights) {
    try {
      await (await SafetensorsFile.open(join(dir, name))).close();
    } catch (error) {
      return damaged((error as Error).message);
    }
  }
  const unread = names.filter((name) => /\.(pt|pth|bin)$/.test(name)).sort();
  const fresh = unread.length > 0 ? `${unread.join(", ")} cannot be read, so` : "there is no state of an optimizer, so";
  return {
    state: "python",
    reason:
      `written by Python: weights and trainer_state.json are read; ${fresh} the optimizer's moments start at zero, dropout ` +
      "is drawn anew, and the learning rate follows these arguments' schedule from the saved step on",
    trainerState: read,
  };
}

/** Files that only kaisetsu writes: then a missing manifest means damage. */
async function isOurs(dir: string): Promise<boolean> {
  const names = await readdir(dir).catch(() => [] as string[]);
  return names.includes("optimizer.safetensors") || names.includes("scheduler.json");
}

async function readState(dir: string): Promise<TrainerState | string> {
  try {
    return TrainerState.fromJson(await readFile(join(dir, "trainer_state.json"), "utf8"));
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return missing ? "trainer_state.json is missing" : `trainer_state.json cannot be read: ${(error as Error).message}`;
  }
}

function damaged(reason: string, manifest?: Manifest): Inspection {
  return { state: "damaged", reason, manifest };
}

import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { inspectCheckpoint } from "./find.js";

const stagingPattern = /^tmp-checkpoint-\d+-[0-9a-f]{8}$/;
const replacedPattern = /^replaced-checkpoint-(\d+)-[0-9a-f]{8}$/;
const draftPattern =
  /^(tmp-model-[0-9a-f]{8}|(trainer_state|training_config)\.json\.tmp|\.kaisetsu-training\.lock\.\d+-[0-9a-f]{8})$/;

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

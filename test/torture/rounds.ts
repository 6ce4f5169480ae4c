/** Rounds of torture. Each throws an AssertionError when a promise of issue "a run survives anything" is broken. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { inspectCheckpoint, listCheckpoints } from "../../src/checkpoint/find.js";
import type { TrainingArgumentsOptions } from "../../src/index.js";
import { type Ended, sleep, startTraining } from "./process.js";
import type { Random } from "./random.js";
import { exitCodes, type Report } from "./train.js";

/** Small steps, a checkpoint after each, dropout on, a log entry every third step. */
export const settings: TrainingArgumentsOptions = {
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 2,
  max_steps: 12,
  learning_rate: 5e-3,
  lr_scheduler_type: "cosine",
  warmup_steps: 2,
  logging_steps: 3,
  eval_strategy: "steps",
  eval_steps: 4,
  save_steps: 1,
  save_total_limit: 2,
};

/** By what a process is told to die, and up to which file operation; 0: by the clock, with a pause in every step. */
const waysToDie = [
  ["KAISETSU_TEST_DIE_AT", 300],
  ["KAISETSU_TEST_DIE_IN_COMMITTER", 800],
  ["KAISETSU_TEST_PAUSE", 0],
] as const;

/** The run that every disturbed one must equal. */
export async function undisturbed(dir: string): Promise<Report> {
  const ended = await startTraining({ ...settings, output_dir: dir }).ended;
  assert.equal(ended.code, 0, ended.stderr);
  return ended.report!;
}

/** A run that was killed after `steps` checkpoints, the last three of which are there. */
export async function unfinished(dir: string, steps: number): Promise<void> {
  const run = startTraining({ ...settings, save_total_limit: 3, output_dir: dir }, { KAISETSU_TEST_PAUSE: "200" });
  while (!existsSync(join(dir, `checkpoint-${steps}`))) await sleep(20);
  run.child.kill("SIGKILL");
  await run.ended;
}

/**
 * Starts a run and kills it at random moments until it comes to its end.
 * @returns how often it was killed
 */
export async function killRound(dir: string, random: Random, expected: Report): Promise<number> {
  let saved = 0;
  for (let kills = 0; ; kills++) {
    // Most kills at a file operation: while files are written or cleaned up, or in the thread that finishes checkpoints.
    const [by, most] = random.pick(waysToDie);
    const inSave = most > 0;
    const env: Record<string, string> = { [by]: inSave ? String(1 + random.upTo(most)) : "20" };
    const run = startTraining({ ...settings, output_dir: dir }, env);
    // Mostly while it trains or saves; now and then while it still starts and reads.
    if (random.chance(0.85)) await run.started;
    // Longer and longer, so that a slow machine gets to the end too.
    const timer = inSave ? undefined : setTimeout(() => run.child.kill("SIGKILL"), random.upTo(1200 + 300 * kills));
    const ended = await run.ended;
    clearTimeout(timer);
    if (ended.signal !== "SIGKILL") {
      assertEqualRun(ended, expected);
      assertClean(dir);
      assert.ok(
        resumedStep(ended.report!) >= saved,
        `resumed from ${ended.report!.resumed_from}, step ${saved} was saved`,
      );
      return kills;
    }
    const newest = (await listCheckpoints(dir))[0]?.step ?? 0;
    assert.ok(newest >= saved, `checkpoint-${saved} was there, now the newest is ${newest}`);
    // It saves after every step, and finishes a save before it begins the next one.
    const done = Number(/done (\d+)(?![\s\S]*done )/.exec(ended.stderr)?.[1] ?? 0);
    assert.ok(newest >= done - 2, `step ${done} was done, and the newest checkpoint is ${newest}`);
    saved = newest;
    for (const { dir: checkpoint } of await listCheckpoints(dir)) {
      const { state, reason } = await inspectCheckpoint(checkpoint);
      assert.equal(state, "whole", `${checkpoint}: ${reason}`);
    }
  }
}

/** SIGINT or SIGTERM at a random moment: an orderly end that loses nothing, and a resume that goes on from there. */
export async function signalRound(dir: string, random: Random, expected: Report): Promise<void> {
  const signal = random.pick(["SIGINT", "SIGTERM"] as const);
  const run = startTraining({ ...settings, save_steps: 5, output_dir: dir }, { KAISETSU_TEST_PAUSE: "30" });
  await run.started;
  await sleep(random.upTo(900));
  run.child.kill(signal);
  const ended = await run.ended;
  if (ended.code !== 0) {
    assert.equal(ended.code, exitCodes.interrupted, ended.stderr);
    const [, step] = /interrupted \(SIG\w+\) after step (\d+)/.exec(ended.stderr)!;
    const newest = (await listCheckpoints(dir))[0]?.step ?? 0;
    assert.equal(newest, Number(step), `it had done ${step} steps, and saved ${newest}`);
  }
  assertEqualRun(await startTraining({ ...settings, save_steps: 5, output_dir: dir }).ended, expected);
  assertClean(dir);
}

/** Fills a small disk while training: a clear error, older checkpoints whole, and after making room the run goes on. */
export async function fullDiskRound(dir: string, random: Random, expected: Report): Promise<void> {
  mount(dir, `${300 + random.upTo(700)}k`);
  try {
    const ended = await startTraining({ ...settings, save_total_limit: 3, output_dir: join(dir, "out") }).ended;
    if (ended.code === 0) return assertEqualRun(ended, expected);
    assert.equal(ended.code, exitCodes.checkpoint, ended.stderr);
    assert.match(ended.stderr, /Could not write .*checkpoint-\d+: ENOSPC.*The disk is full/);
    for (const { dir: checkpoint } of await listCheckpoints(join(dir, "out"))) {
      assert.equal((await inspectCheckpoint(checkpoint)).state, "whole", checkpoint);
    }
    assertClean(join(dir, "out"));
    mount(dir, "64m", "remount,");
    assertEqualRun(
      await startTraining({ ...settings, save_total_limit: 3, output_dir: join(dir, "out") }).ended,
      expected,
    );
  } finally {
    spawnSync("umount", [dir]);
  }
}

/** Whether this process may mount a small disk. */
export function canMount(scratch: string): boolean {
  mkdirSync(scratch, { recursive: true });
  const able = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", scratch]).status === 0;
  if (able) spawnSync("umount", [scratch]);
  return able;
}

export function mount(dir: string, size: string, option = ""): void {
  mkdirSync(dir, { recursive: true });
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", `${option}size=${size}`, "tmpfs", dir]);
  assert.equal(status, 0, String(stderr));
}

export function assertEqualRun(ended: Ended, expected: Report): void {
  assert.equal(ended.code, 0, `${ended.signal ?? ""} ${ended.stderr}`);
  const numbers = ({ action: _, resumed_from: __, ...rest }: Report) => rest;
  assert.deepEqual(numbers(ended.report!), numbers(expected));
}

export function assertClean(dir: string): void {
  const orphans = readdirSync(dir).filter(
    (name) => !/^checkpoint-\d+$|^kept-|^trainer_state\.json$|^\.kaisetsu-model-unsaved$/.test(name),
  );
  assert.deepEqual(orphans, [], "left behind");
}

export function resumedStep(report: Report): number {
  return report.resumed_from === null ? 0 : Number(/(\d+)$/.exec(report.resumed_from)![1]);
}

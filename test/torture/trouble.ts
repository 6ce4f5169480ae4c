/** Rounds in which something goes wrong around a run: bad numbers, limits of the system, other processes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inspectCheckpoint, listCheckpoints } from "../../src/checkpoint/find.js";
import type { TrainingArgumentsOptions } from "../../src/index.js";
import { type Ended, sleep, startTraining } from "./process.js";
import type { Random } from "./random.js";
import { assertClean, assertEqualRun, mount, settings } from "./rounds.js";
import { exitCodes, type Report } from "./train.js";

/** A loss that is not a number, and a kill besides: stopped, skipped or rolled back, the run ends as the one nobody killed. */
export async function nanRound(dir: string, random: Random, expected: Report): Promise<void> {
  const nan_policy = random.pick(["stop", "skip", "rollback"] as const);
  const step = 3 + random.upTo(8);
  const args = (name: string): TrainingArgumentsOptions => ({ ...settings, nan_policy, output_dir: join(dir, name) });
  const bad = (name: string) => ({
    KAISETSU_TEST_NAN_AT: String(step),
    KAISETSU_TEST_NAN_ONCE: join(dir, `${name}.once`),
  });
  mkdirSync(dir);
  if (nan_policy === "stop") {
    const stopped = await startTraining(args("run"), bad("run")).ended;
    assert.equal(stopped.code, exitCodes.nonFinite, stopped.stderr);
    assert.match(
      stopped.stderr,
      new RegExp(`is NaN at step ${step} of 12 \\(training rows .*checkpoint-${step - 1}\\.`),
    );
    await assertWhole(join(dir, "run"));
    return assertEqualRun(await startTraining(args("run")).ended, expected);
  }
  const undisturbed = await startTraining(args("whole"), bad("whole")).ended;
  assert.equal(undisturbed.code, 0, undisturbed.stderr);
  const killAt = `on_step_begin:${1 + random.upTo(step - 1)}:kill`;
  const killed = await startTraining(args("run"), { ...bad("run"), KAISETSU_TEST_AT: killAt }).ended;
  assert.equal(killed.signal, "SIGKILL", killed.stderr);
  assertEqualRun(await startTraining(args("run"), bad("run")).ended, undisturbed.report!);
  assertClean(join(dir, "run"));
}

/** From a random moment on no file can be opened. */
export async function fewFilesRound(dir: string, random: Random, expected: Report): Promise<void> {
  const run = startTraining({ ...settings, output_dir: dir }, { KAISETSU_TEST_PAUSE: "50" });
  // By then all threads have been started.
  while (!existsSync(join(dir, "checkpoint-1")) && run.child.exitCode === null) await sleep(20);
  await sleep(random.upTo(400));
  spawnSync("prlimit", [`--pid=${run.child.pid}`, `--nofile=${4 + random.upTo(4)}`]);
  await goesOnAfter(await run.ended, /EMFILE.*Too many files are open/, dir, expected);
}

/** The disk becomes read-only at a random moment, as after an error of its own. */
export async function readOnlyRound(dir: string, random: Random, expected: Report): Promise<void> {
  mount(dir, "64m");
  const output_dir = join(dir, "out");
  try {
    const run = startTraining({ ...settings, output_dir }, { KAISETSU_TEST_PAUSE: "50" });
    await run.started;
    await sleep(random.upTo(700));
    while (spawnSync("mount", ["-o", "remount,ro", dir]).status !== 0) await sleep(5);
    const ended = await run.ended;
    mount(dir, "64m", "remount,rw,");
    await goesOnAfter(ended, /EROFS.*The file system is read-only/, output_dir, expected);
  } finally {
    spawnSync("umount", [dir]);
  }
}

/** The folder is gone at a random moment, as when a disk is unmounted, and comes back. */
export async function vanishedRound(dir: string, random: Random, expected: Report): Promise<void> {
  const run = startTraining({ ...settings, output_dir: dir }, { KAISETSU_TEST_PAUSE: "50" });
  await run.started;
  await sleep(random.upTo(700));
  renameSync(dir, `${dir}-away`);
  const ended = await run.ended;
  rmSync(dir, { recursive: true, force: true });
  renameSync(`${dir}-away`, dir);
  await goesOnAfter(ended, /ENOENT.*The folder has vanished/, dir, expected);
}

/** A second signal ends it at once, wherever it is; and a batch system kills what has not ended by then. */
export async function secondSignalRound(dir: string, random: Random, expected: Report): Promise<void> {
  const args = { ...settings, save_steps: 3, output_dir: dir };
  const run = startTraining(args, { KAISETSU_TEST_PAUSE: "30" });
  await run.started;
  await sleep(random.upTo(700));
  run.child.kill(random.pick(["SIGINT", "SIGTERM"] as const));
  await sleep(random.upTo(600));
  run.child.kill(random.pick(["SIGINT", "SIGTERM", "SIGKILL"] as const));
  const { code, signal, stderr } = await run.ended;
  assert.ok(
    signal === "SIGKILL" || [0, exitCodes.interrupted, 130, 143].includes(code!),
    `${code} ${signal} ${stderr}`,
  );
  await assertWhole(dir);
  assertEqualRun(await startTraining(args).ended, expected);
  assertClean(dir);
}

/** Several processes at once, one of them killed: never two in the folder, and the run comes to its end. */
export async function crowdRound(dir: string, random: Random, expected: Report): Promise<void> {
  const runs = Array.from({ length: 3 }, () =>
    startTraining({ ...settings, output_dir: dir }, { KAISETSU_TEST_PAUSE: String(random.upTo(40)) }),
  );
  await Promise.race(runs.map(({ started }) => started));
  await sleep(random.upTo(500));
  runs[random.upTo(3)]!.child.kill("SIGKILL");
  for (const { code, signal, stderr } of await Promise.all(runs.map(({ ended }) => ended))) {
    assert.ok(signal === "SIGKILL" || code === 0 || code === exitCodes.inUse, `${code} ${stderr}`);
  }
  await assertWhole(dir);
  assertEqualRun(await startTraining({ ...settings, output_dir: dir }).ended, expected);
  assertClean(dir);
}

/** The trouble was said in so many words (unless the run had ended before), nothing is broken, and the run goes on. */
async function goesOnAfter(ended: Ended, words: RegExp, dir: string, expected: Report): Promise<void> {
  if (ended.code !== 0) {
    assert.equal(ended.code, exitCodes.checkpoint, `${ended.code} ${ended.signal} ${ended.stderr}`);
    assert.match(ended.stderr, words);
    await assertWhole(dir);
  }
  assertEqualRun(await startTraining({ ...settings, output_dir: dir }).ended, expected);
  assertClean(dir);
}

async function assertWhole(dir: string): Promise<void> {
  for (const { dir: checkpoint } of await listCheckpoints(dir)) {
    const { state, reason } = await inspectCheckpoint(checkpoint);
    assert.equal(state, "whole", `${checkpoint}: ${reason}`);
  }
}

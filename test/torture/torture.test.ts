/** A few rounds of each kind; `node dist/test/torture/torture.js --rounds 500` runs as many as you like. */
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { listCheckpoints } from "../../src/checkpoint/find.js";
import { lockName } from "../../src/checkpoint/lock.js";
import { freshDir } from "../training/tiny.js";
import { damageRound, seenDamageRound } from "./damage.js";
import { startTraining } from "./process.js";
import { Random } from "./random.js";
import { canMount, fullDiskRound, killRound, settings, signalRound, undisturbed, unfinished } from "./rounds.js";
import { settingsRound } from "./settings-round.js";
import { exitCodes, type Report } from "./train.js";
import { fewFilesRound, nanRound } from "./trouble.js";

const folders: string[] = [];
let expected: Report;
let stopped: string;
// Another seed every day, so that in time all moments are tried; a failure names it.
const seed = Math.floor(Date.now() / 86_400_000);
before(async () => {
  expected = await undisturbed(freshDir(folders));
  stopped = freshDir(folders);
  await unfinished(stopped, 9);
});
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

test(`killed at random moments, a run ends bit for bit like the undisturbed one (seed ${seed})`, async (context) => {
  const kills = await Promise.all([0, 1].map((n) => killRound(freshDir(folders), new Random(2 * seed + n), expected)));
  context.diagnostic(`${kills[0]! + kills[1]!} kills`);
  assert.ok(kills[0]! + kills[1]! > 0);
});

test(`Ctrl-C or SIGTERM: saved, explained, resumed (seed ${seed})`, async () => {
  await signalRound(freshDir(folders), new Random(seed), expected);
});

test(`a damaged checkpoint is named, kept and passed over (seed ${seed})`, async () => {
  const random = new Random(seed);
  for (let n = 0; n < 40; n++) await seenDamageRound(stopped, join(freshDir(folders), "copy"), random);
  await damageRound(stopped, freshDir(folders), random, expected);
});

test(`a full disk costs no checkpoint (seed ${seed})`, async (context) => {
  const dir = freshDir(folders);
  if (!canMount(join(dir, "probe"))) return context.skip("this process may not mount a small disk");
  await fullDiskRound(join(dir, "disk"), new Random(seed), expected);
});

test(`any settings, engine and moment; bad numbers; no more files to open (seed ${seed})`, async (context) => {
  const random = new Random(seed);
  const place = (name: string) => join(freshDir(folders), name);
  const [words] = await Promise.all([
    settingsRound(place("settings"), random),
    nanRound(place("nan"), new Random(seed), expected),
    fewFilesRound(place("files"), new Random(seed), expected),
  ]);
  context.diagnostic(words);
});

test("a second process in the same folder is refused, and a dead one's lock is not believed", async () => {
  const dir = freshDir(folders);
  const stale = { pid: 999_999_999, host: hostname(), process_start: "1", since: "2020-01-01T00:00:00.000Z" };
  writeFileSync(join(dir, lockName), JSON.stringify(stale));
  const first = startTraining({ ...settings, output_dir: dir }, { KAISETSU_TEST_PAUSE: "150" });
  await first.started;
  const second = await startTraining({ ...settings, output_dir: dir }).ended;
  assert.equal(second.code, exitCodes.inUse, second.stderr);
  assert.match(second.stderr, new RegExp(`Another training run uses .* \\(process ${first.child.pid}, since `));
  const ended = await first.ended;
  assert.equal(ended.code, 0, ended.stderr);
  assert.equal(ended.report!.parameters, expected.parameters);
  assert.ok(!existsSync(join(dir, lockName)));
});

test("a folder that vanishes while training ends the run with a clear error", async () => {
  const dir = join(freshDir(folders), "gone");
  const run = startTraining({ ...settings, output_dir: dir }, { KAISETSU_TEST_PAUSE: "100" });
  await run.started;
  // In the middle of whatever it does; what it was just writing may be there again for a moment.
  for (let i = 0; i < 40 && existsSync(dir); i++) rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  writeFileSync(dir, "not a folder any more");
  const ended = await run.ended;
  assert.equal(ended.code, exitCodes.checkpoint, ended.stderr);
  assert.match(ended.stderr, /Could not write .*checkpoint-\d+: EN/);
});

test("a time budget saves in time, and the next session goes on", async () => {
  const dir = freshDir(folders);
  const slow = { KAISETSU_TEST_PAUSE: "250" };
  const first = await startTraining({ ...settings, save_steps: 100, max_train_seconds: 2, output_dir: dir }, slow)
    .ended;
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /max_train_seconds \(2 s\) is nearly over after step \d+ of 12/);
  assert.ok(first.report!.global_step < 12);
  assert.equal((await listCheckpoints(dir))[0]?.step, first.report!.global_step);
  const second = await startTraining({ ...settings, save_steps: 100, output_dir: dir }).ended;
  assert.equal(second.report?.parameters, expected.parameters, second.stderr);
});

test("a place that cannot be written to is an error before any training", async () => {
  const file = join(freshDir(folders), "file");
  writeFileSync(file, "");
  const ended = await startTraining({ ...settings, output_dir: join(file, "out") }).ended;
  assert.equal(ended.code, exitCodes.checkpoint, ended.stderr);
  assert.match(ended.stderr, /Nothing can be written into .*ENOTDIR/);
});

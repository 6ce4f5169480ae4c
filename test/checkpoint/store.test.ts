import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspectCheckpoint } from "../../src/checkpoint/find.js";
import { cleanLeftovers, restoreReplaced } from "../../src/checkpoint/leftovers.js";
import { rotateCheckpoints } from "../../src/checkpoint/rotation.js";
import { commitCheckpoint, stageCheckpoint } from "../../src/checkpoint/store.js";
import { CheckpointError, TrainerState } from "../../src/index.js";

const folders: string[] = [];
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});

function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "kaisetsu-store-"));
  folders.push(dir);
  return dir;
}

const said: string[] = [];
const say = (line: string) => said.push(line);

/** A checkpoint with little in it: enough to be whole. */
async function save(outputDir: string, global_step: number, run_id = "a", content = "weights"): Promise<string> {
  const staged = await stageCheckpoint(outputDir, { run_id, global_step }, async (dir) => {
    writeFileSync(join(dir, "weights"), content);
    writeFileSync(join(dir, "trainer_state.json"), Object.assign(new TrainerState(), { global_step }).toJson());
  });
  return commitCheckpoint(staged, say);
}

const names = (dir: string) => readdirSync(dir).sort();
const damage = (checkpoint: string) => writeFileSync(join(checkpoint, "weights"), "weightz");

test("a save that fails leaves nothing behind, and older checkpoints as they were", async () => {
  const dir = freshDir();
  await save(dir, 1);
  const failing = stageCheckpoint(dir, { run_id: "a", global_step: 2 }, async (staging) => {
    writeFileSync(join(staging, "weights"), "half");
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  });
  await assert.rejects(failing, (error: Error) => {
    assert.ok(error instanceof CheckpointError);
    assert.match(error.message, /Could not write .*checkpoint-2: ENOSPC.* The disk is full: free some space/);
    assert.match(error.message, /The last checkpoint, .*checkpoint-1, is untouched\./);
    return true;
  });
  assert.deepEqual(names(dir), ["checkpoint-1"]);
  assert.equal((await inspectCheckpoint(join(dir, "checkpoint-1"))).state, "whole");
});

test("a folder that has vanished is not made anew", async () => {
  const dir = join(freshDir(), "out");
  mkdirSync(dir);
  await save(dir, 1);
  rmSync(dir, { recursive: true });
  await assert.rejects(save(dir, 2), /ENOENT.* The folder has vanished: was it deleted, or its disk unmounted\?/);
  assert.throws(() => readdirSync(dir));
});

test("too many open files: a clear error, the earlier checkpoint intact", async () => {
  const dir = freshDir();
  const script = fileURLToPath(new URL("./too-many-files.js", import.meta.url));
  const { stdout, stderr } = spawnSync(
    "bash",
    ["-c", `ulimit -n 128; exec "${process.execPath}" "${script}" "${dir}"`],
    {
      encoding: "utf8",
    },
  );
  assert.match(
    stdout,
    /^CheckpointError: Could not write .*checkpoint-2: EMFILE.*Too many files are open.*untouched\.$/m,
    stderr,
  );
  assert.equal((await inspectCheckpoint(join(dir, "checkpoint-1"))).state, "whole");
  assert.ok(!names(dir).includes("checkpoint-2"));
  await cleanLeftovers(dir);
  assert.deepEqual(names(dir), ["checkpoint-1"]);
});

test("a read-only disk: a clear error, the earlier checkpoint intact", async (t) => {
  const dir = freshDir();
  const mount = (options: string) => spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", dir]).status === 0;
  if (!mount("size=1m")) return t.skip("this process may not mount a file system");
  try {
    await save(dir, 1);
    assert.ok(mount("remount,ro"));
    await assert.rejects(save(dir, 2), /EROFS.* The file system is read-only: choose another output_dir.*untouched/);
    assert.deepEqual(names(dir), ["checkpoint-1"]);
    assert.equal((await inspectCheckpoint(join(dir, "checkpoint-1"))).state, "whole");
  } finally {
    spawnSync("umount", [dir]);
  }
});

test("leftovers of a dead run are cleaned with a message; a checkpoint about to be replaced gets its name back", async () => {
  const dir = freshDir();
  await save(dir, 2);
  await save(dir, 4);
  const foreign = ["checkpoint-best", "tmp-checkpoint-mine", "tmp-checkpoint-3-notahexnumber", "runs", "previous-1"];
  for (const name of foreign) mkdirSync(join(dir, name));
  mkdirSync(join(dir, "tmp-checkpoint-6-0123abcd"));
  writeFileSync(join(dir, "tmp-checkpoint-6-0123abcd/weights"), "half");
  writeFileSync(join(dir, "trainer_state.json.tmp"), "half");
  for (const step of [2, 8]) {
    await save(dir, step === 2 ? 1002 : 1008);
    spawnSync("mv", [join(dir, `checkpoint-100${step}`), join(dir, `replaced-checkpoint-${step}-0123abcd`)]);
  }
  assert.deepEqual(await restoreReplaced(dir), [
    "restored checkpoint-8, which an interrupted run was about to replace",
  ]);
  const said = (await cleanLeftovers(dir)).join("\n");
  assert.match(said, /removed tmp-checkpoint-6-0123abcd, a checkpoint that an interrupted run had not finished/);
  assert.match(said, /removed replaced-checkpoint-2-0123abcd, which checkpoint-2 had replaced/);
  assert.deepEqual(names(dir), [...foreign, "checkpoint-2", "checkpoint-4", "checkpoint-8"].sort());
  assert.deepEqual(await cleanLeftovers(dir), []);
});

test("what replaces a checkpoint of the same step: this run's own goes, anything else is kept aside", async () => {
  const dir = freshDir();
  said.length = 0;
  await save(dir, 1, "a", "old");
  await save(dir, 1, "a", "new");
  assert.deepEqual(names(dir), ["checkpoint-1"]);
  assert.equal(readFileSync(join(dir, "checkpoint-1/weights"), "utf8"), "new");
  await save(dir, 1, "b");
  damage(join(dir, "checkpoint-1"));
  await save(dir, 1, "b");
  assert.match(said[0]!, /checkpoint-1 is from another run; it is kept as .*kept-checkpoint-1-/);
  assert.match(said[1]!, /checkpoint-1 is damaged \(weights does not match its SHA-256\); it is kept as/);
  assert.equal(names(dir).filter((name) => /^kept-checkpoint-1-[0-9a-f]{8}$/.test(name)).length, 2);
});

test("rotation leaves the newest, the best, other runs', damaged ones, and always a whole one", async () => {
  const dir = freshDir();
  await save(dir, 100, "another run");
  for (let step = 1; step <= 6; step++) await save(dir, step);
  damage(join(dir, "checkpoint-3"));
  const at = (step: number) => join(dir, `checkpoint-${step}`);
  const rotate = (limit: number | null, newest: number, best: number) =>
    rotateCheckpoints(dir, { run_id: "a", limit, newest: at(newest), best: at(best) }, say);
  await rotate(null, 6, 1);
  assert.equal(names(dir).length, 7);
  await rotate(3, 6, 1);
  assert.deepEqual(names(dir), ["checkpoint-1", "checkpoint-100", "checkpoint-3", "checkpoint-5", "checkpoint-6"]);
  // At the end only the best shall stay; but that has been damaged meanwhile.
  damage(at(1));
  await rotate(1, 1, 1);
  assert.deepEqual(names(dir), ["checkpoint-1", "checkpoint-100", "checkpoint-3", "checkpoint-6"]);
});

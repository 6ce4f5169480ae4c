import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { abandonCommits, commitInBackground, prepareCommits } from "../../src/checkpoint/committer.js";
import { stageCheckpoint } from "../../src/checkpoint/store.js";

const dir = mkdtempSync(join(tmpdir(), "kaisetsu-committer-"));
after(() => {
  abandonCommits();
  rmSync(dir, { recursive: true, force: true });
});

const threads = () => (process.report!.getReport() as unknown as { workers: unknown[] }).workers.length;

async function until(condition: () => boolean): Promise<boolean> {
  for (let i = 0; i < 200 && !condition(); i++) await sleep(25);
  return condition();
}

const stage = (global_step: number) =>
  stageCheckpoint(dir, { run_id: "a", global_step }, async (staging) => {
    writeFileSync(join(staging, "weights"), Buffer.alloc(1 << 24));
  });

test("abandoning ends the thread, rejects the save that waits and leaves nothing of it; the next save gets a new thread", async () => {
  prepareCommits();
  assert.ok(await until(() => threads() === 1));
  const rejected = assert.rejects(commitInBackground(await stage(1), { run_id: "a", limit: null }), /checkpoint-1/);
  abandonCommits();
  assert.ok(await until(() => threads() === 0), "the thread has ended");
  await rejected;
  assert.deepEqual(readdirSync(dir), []);
  await commitInBackground(await stage(2), { run_id: "a", limit: null });
  assert.deepEqual(readdirSync(dir), ["checkpoint-2"]);
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, mock, test } from "node:test";
import { fileURLToPath } from "node:url";
import { confirmLock, describeLock, lockName, lockOutputDir } from "../../src/checkpoint/lock.js";
import { OutputDirInUseError } from "../../src/index.js";

const folders: string[] = [];
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});

function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "kaisetsu-lock-"));
  folders.push(dir);
  return dir;
}

const holder = fileURLToPath(new URL("./lock-holder.js", import.meta.url));

test("a second process is refused with the first one's details, until the first one is killed", async () => {
  const dir = freshDir();
  const child = spawn(process.execPath, [holder, dir], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  assert.throws(
    () => lockOutputDir(dir),
    (error: Error) => {
      assert.ok(error instanceof OutputDirInUseError);
      assert.match(error.message, new RegExp(`Another training run uses .* \\(process ${child.pid}, since 20\\d\\d-`));
      return true;
    },
  );
  assert.match(describeLock(dir)!, new RegExp(`process ${child.pid}`));
  child.kill("SIGKILL");
  await once(child, "close");
  const said = mock.method(console, "error", () => {});
  const release = lockOutputDir(dir);
  said.mock.restore();
  assert.match(
    said.mock.calls[0]!.arguments[0],
    new RegExp(`removed a stale lock of process ${child.pid}.*which is gone`),
  );
  release();
  assert.deepEqual(readdirSync(dir), []);
});

test("stale: the same number given to another process, another start of the machine, a lock cut off, a silent machine", () => {
  const said = mock.method(console, "error", () => {});
  const template = ownLock();
  const stale: [string, object | string][] = [
    ["another process now has the number", { ...template, process_start: "1" }],
    ["the machine was started anew", { ...template, boot: "another" }],
    ["of this process, but not held by it", { ...template, id: "another" }],
    ["cut off", '{"pid": 12'],
    ["empty", ""],
    ["another machine, silent for an hour", { ...template, host: "elsewhere" }],
    ["another container, silent for an hour", { ...template, pid_namespace: "pid:[1]" }],
  ];
  for (const [what, lock] of stale) {
    const dir = freshDir();
    writeLock(dir, lock, 3_600_000);
    assert.equal(describeLock(dir), undefined, what);
    lockOutputDir(dir)();
    assert.deepEqual(readdirSync(dir), [], what);
  }
  said.mock.restore();
  const dir = freshDir();
  writeLock(dir, { ...template, host: "elsewhere", pid: 7 }, 20_000);
  assert.throws(() => lockOutputDir(dir), /process 7 on elsewhere, since/);
});

test("of many processes that meet a stale lock at once, one gets it", async () => {
  const dir = freshDir();
  writeLock(dir, { ...ownLock(), process_start: "1" }, 3_600_000);
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, [holder, dir, "1500"], { stdio: ["ignore", "pipe", "ignore"] }),
  );
  const outputs = await Promise.all(
    children.map(async (child) => {
      let text = "";
      child.stdout.on("data", (piece) => {
        text += piece;
      });
      await once(child, "close");
      return text.trim();
    }),
  );
  // They need not start at the same moment: one that comes late may find the lock free again.
  assert.ok(outputs.includes("locked"), outputs.join());
  assert.ok(
    outputs.every((text) => text === "locked" || text === "OutputDirInUseError"),
    outputs.join(),
  );
  assert.deepEqual(readdirSync(dir), []);
});

test("before each save: a lock deleted by hand is put back, one that another process took ends the run", () => {
  const dir = freshDir();
  const release = lockOutputDir(dir);
  rmSync(join(dir, lockName));
  confirmLock(dir);
  assert.equal(JSON.parse(readFileSync(join(dir, lockName), "utf8")).pid, process.pid);
  writeLock(dir, { ...ownLock(), pid: 7, id: "another" }, 0);
  assert.throws(() => confirmLock(dir), OutputDirInUseError);
  release();
  assert.deepEqual(readdirSync(dir), [lockName], "another process's lock is not deleted");
});

test("a place where nothing can be written is a clear error", () => {
  const file = join(freshDir(), "file");
  writeFileSync(file, "");
  assert.throws(
    () => lockOutputDir(join(file, "out")),
    /Nothing can be written into .*: There is a file where a folder should be|ENOTDIR/,
  );
});

function ownLock(): Record<string, unknown> {
  const dir = freshDir();
  const release = lockOutputDir(dir);
  const lock = JSON.parse(readFileSync(join(dir, lockName), "utf8"));
  release();
  return lock;
}

function writeLock(dir: string, lock: object | string, ageMs: number): void {
  const path = join(dir, lockName);
  writeFileSync(path, typeof lock === "string" ? lock : JSON.stringify(lock));
  const time = new Date(Date.now() - ageMs);
  utimesSync(path, time, time);
}

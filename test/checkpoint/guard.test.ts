import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { lockOutputDir } from "../../src/checkpoint/lock.js";
import { checkpointGuard, TrainingArguments, type TrainingArgumentsOptions } from "../../src/index.js";
import { type NotebookHost, setNotebookHost } from "../../src/notebook/host.js";
import { freshDir, makeTrainer } from "../training/tiny.js";

const folders: string[] = [];
/** A run of 4 steps that was stopped before its third: checkpoint-1 and checkpoint-2. */
let unfinished: string;
let finished: string;
const settings: TrainingArgumentsOptions = { max_steps: 4, save_steps: 1, per_device_train_batch_size: 2 };

before(async () => {
  for (const name of ["KAGGLE_KERNEL_RUN_TYPE", "CI"]) delete process.env[name];
  unfinished = freshDir(folders);
  const crash = {
    on_step_begin(_: unknown, state: { global_step: number }) {
      if (state.global_step === 2) throw new Error("crash");
    },
  };
  const stopped = await makeTrainer({ args: { ...settings, output_dir: unfinished }, callbacks: [crash] });
  await assert.rejects(stopped.train(), /crash/);
  finished = freshDir(folders);
  const whole = await makeTrainer({ args: { ...settings, output_dir: finished } });
  await whole.train();
});
afterEach(() => setNotebookHost(undefined));
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

const argsFor = (output_dir: string, more: TrainingArgumentsOptions = {}) =>
  new TrainingArguments({ ...settings, ...more, output_dir });

function copyOf(dir: string): string {
  const copy = freshDir(folders);
  cpSync(dir, copy, { recursive: true });
  return copy;
}

test("no folder, or one without checkpoints: start", async () => {
  const dir = freshDir(folders);
  const missing = join(dir, "not", "yet");
  for (const place of [dir, missing]) {
    const decision = await checkpointGuard({ args: argsFor(place) });
    assert.equal(decision.action, "start");
    assert.equal(decision.found, "nothing");
  }
  assert.ok(!existsSync(missing), "looking creates nothing");
  mkdirSync(join(dir, "checkpoint-best"));
  writeFileSync(join(dir, "checkpoint-7"), "a file");
  assert.equal((await checkpointGuard({ args: argsFor(dir) })).action, "start");
});

test("an unfinished run: resume from the newest checkpoint, in both languages", async () => {
  const decision = await checkpointGuard({ args: argsFor(unfinished), on_conflict: "stop" });
  assert.equal(decision.action, "resume");
  assert.equal(decision.checkpoint, join(unfinished, "checkpoint-2"));
  assert.match(decision.message.en, /goes on from .*checkpoint-2 \(step 2\)/);
  assert.match(decision.message.ja, /checkpoint-2（ステップ 2）から再開します/);
});

const damages: [string, (dir: string) => void][] = [
  ["no trainer_state.json", (dir) => rmSync(join(dir, "trainer_state.json"))],
  ["an unreadable trainer_state.json", (dir) => writeFileSync(join(dir, "trainer_state.json"), '{"epoch": 1.0, ')],
  ["weights cut in half", (dir) => cut(join(dir, "adapter_model.safetensors"))],
  ["no manifest", (dir) => rmSync(join(dir, "manifest.json"))],
];
for (const [what, damage] of damages) {
  test(`${what} in the newest checkpoint: resume from the one before, and keep it`, async () => {
    const dir = copyOf(unfinished);
    damage(join(dir, "checkpoint-2"));
    const decision = await checkpointGuard({ args: argsFor(dir) });
    assert.equal(decision.action, "resume");
    assert.equal(decision.checkpoint, join(dir, "checkpoint-1"));
    assert.match(decision.message.en, /Passed over and kept: .*checkpoint-2: /);
    assert.ok(existsSync(join(dir, "checkpoint-2")));
  });
}

test("only unreadable checkpoints: stop, touch nothing", async () => {
  const dir = copyOf(unfinished);
  for (const name of ["checkpoint-1", "checkpoint-2"]) rmSync(join(dir, name, "trainer_state.json"));
  const before = readdirSync(dir, { recursive: true });
  const decision = await checkpointGuard({ args: argsFor(dir) });
  assert.equal(decision.action, "stop");
  assert.equal(decision.found, "damaged");
  assert.deepEqual(readdirSync(dir, { recursive: true }), before);
});

test("finished training: stop; more steps than it had: resume", async () => {
  const decision = await checkpointGuard({ args: argsFor(finished) });
  assert.equal(decision.action, "stop");
  assert.match(decision.message.en, /already complete \(epoch 0\.80, step 4\)/);
  assert.match(decision.message.ja, /すでに終わっています/);
  const longer = await checkpointGuard({ args: argsFor(finished, { max_steps: 9 }) });
  assert.equal(longer.action, "resume");
});

test("by epochs, a run of Python's counts as finished from 0.1 epochs before the end", async () => {
  const dir = copyOf(unfinished);
  rmSync(join(dir, "checkpoint-1"), { recursive: true });
  for (const name of ["manifest.json", "optimizer.safetensors", "scheduler.json"])
    rmSync(join(dir, "checkpoint-2", name));
  const epochs = (num_train_epochs: number) => argsFor(dir, { max_steps: -1, num_train_epochs });
  const state = JSON.parse(readFileSync(join(dir, "checkpoint-2/trainer_state.json"), "utf8"));
  assert.equal(state.epoch, 0.4);
  assert.equal((await checkpointGuard({ args: epochs(0.5) })).found, "finished");
  const longer = await checkpointGuard({ args: epochs(0.51) });
  assert.equal(longer.action, "resume");
  assert.equal(longer.checkpoint, join(dir, "checkpoint-2"));
});

test("a run killed between its last step and its end is resumed, to end", async () => {
  const dir = copyOf(finished);
  rmSync(join(dir, "trainer_state.json"));
  const decision = await checkpointGuard({ args: argsFor(dir) });
  assert.equal(decision.action, "resume");
  assert.equal(decision.checkpoint, join(dir, "checkpoint-4"));
});

test("finished training is protected even when only its best checkpoint is left", async () => {
  const dir = copyOf(finished);
  for (const name of ["checkpoint-2", "checkpoint-3", "checkpoint-4"]) rmSync(join(dir, name), { recursive: true });
  assert.equal((await checkpointGuard({ args: argsFor(dir) })).found, "finished");
});

test("another process trains there: stop", async () => {
  const dir = copyOf(unfinished);
  const unlock = lockOutputDir(dir);
  const decision = await checkpointGuard({ args: argsFor(dir), on_conflict: "overwrite" });
  unlock();
  assert.equal(decision.action, "stop");
  assert.match(decision.reason, new RegExp(`process ${process.pid}`));
});

test("overwrite: start, with what was there in a subfolder", async () => {
  for (const source of [finished, unfinished]) {
    const dir = copyOf(source);
    const decision = await checkpointGuard({ args: argsFor(dir), on_conflict: "overwrite" });
    assert.equal(decision.action, "start");
    const [previous] = readdirSync(dir).filter((name) => name.startsWith("previous-"));
    assert.ok(existsSync(join(dir, previous!, "checkpoint-2/adapter_model.safetensors")));
    assert.equal((await checkpointGuard({ args: argsFor(dir) })).found, "nothing");
  }
});

test("a notebook with somebody at it: asks, and takes only a clear yes for one", async () => {
  for (const [answer, action] of [
    ["y", "start"],
    ["はい", "start"],
    ["", "stop"],
    ["no", "stop"],
    ["yesterday", "stop"],
  ] as const) {
    const dir = copyOf(finished);
    const asked: string[] = [];
    const ask = (prompt: string) => {
      asked.push(prompt);
      return answer;
    };
    setNotebookHost(host(true, ask));
    const decision = await checkpointGuard({ args: argsFor(dir) });
    assert.equal(decision.action, action, `answer ${JSON.stringify(answer)}`);
    assert.equal(asked.length, 1);
    assert.match(asked[0]!, /最初から学習し直しますか.*\n.*Train from the beginning/);
  }
});

test("nobody there, told not to ask, or on Kaggle: never asks, keeps everything", async () => {
  const noAsking = (prompt: string) => assert.fail(`asked: ${prompt}`);
  setNotebookHost(host(false, noAsking));
  assert.equal((await checkpointGuard({ args: argsFor(finished) })).action, "stop");
  setNotebookHost(host(true, noAsking));
  assert.equal((await checkpointGuard({ args: argsFor(finished), on_conflict: "stop" })).action, "stop");
  for (const name of ["KAGGLE_KERNEL_RUN_TYPE", "CI"]) {
    process.env[name] = "Batch";
    assert.equal((await checkpointGuard({ args: argsFor(finished) })).action, "stop");
    delete process.env[name];
  }
});

test("a terminal: asks the person; a pipe: does not", () => {
  const script = fileURLToPath(new URL("./guard-in-terminal.js", import.meta.url));
  const env = { ...process.env, KAISETSU_OUTPUT_DIR: copyOf(finished) };
  const piped = spawnSync(process.execPath, [script], { env, input: "y\n", encoding: "utf8" });
  assert.match(piped.stdout, /^decision: stop/m);
  // util-linux's script gives the child a terminal.
  const inTerminal = (input: string) =>
    spawnSync("script", ["-qec", `"${process.execPath}" "${script}"`, "/dev/null"], { env, input, encoding: "utf8" });
  assert.match(inTerminal("n\n").stdout, /\[y\/N\][\s\S]*decision: stop/);
  assert.match(inTerminal("y\n").stdout, /\[y\/N\][\s\S]*decision: start/);
});

function host(asks: boolean, ask: (prompt: string) => string): NotebookHost {
  return { display() {}, clearOutput() {}, canAsk: () => asks, ask };
}

function cut(path: string): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length / 2));
}

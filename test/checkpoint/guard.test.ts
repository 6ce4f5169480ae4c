import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { unsavedName } from "../../src/checkpoint/finished.js";
import { lockOutputDir } from "../../src/checkpoint/lock.js";
import {
  checkpointGuard,
  type GuardDecision,
  TrainingArguments,
  type TrainingArgumentsOptions,
} from "../../src/index.js";
import { type NotebookHost, setNotebookHost } from "../../src/notebook/host.js";
import { checkpointNames, freshDir, makeTrainer } from "../training/tiny.js";

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
  await whole.saveModel();
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

/** Each state of the folder: its word, what the guard does about it, and how its message begins in both languages. */
const states: [what: string, made: () => string, found: GuardDecision["found"], en: RegExp, ja: RegExp][] = [
  [
    "no folder",
    () => join(freshDir(folders), "none"),
    "nothing",
    /holds no checkpoint/,
    /チェックポイントはありません/,
  ],
  ["nothing in it", () => freshDir(folders), "nothing", /holds no checkpoint/, /最初から学習を始めます/],
  ["an unfinished run", () => copyOf(unfinished), "unfinished", /goes on from .*checkpoint-2/, /checkpoint-2（.*再開/],
  [
    "an unfinished run, its newest checkpoint damaged",
    () => changed(unfinished, (dir) => cut(join(dir, "checkpoint-2/manifest.json"))),
    "unfinished",
    /goes on from .*checkpoint-1 .*Passed over and kept: .*checkpoint-2: manifest/,
    /checkpoint-1（ステップ 1）から再開.*飛ばしたもの/,
  ],
  [
    "an unfinished run, its newest checkpoint about to be replaced",
    () => changed(unfinished, (dir) => rename(dir, "checkpoint-2", "replaced-checkpoint-2-0123abcd")),
    "unfinished",
    /checkpoint-2/,
    /checkpoint-2/,
  ],
  [
    "an unfinished run of Python's",
    () => changed(unfinished, asPython),
    "unfinished",
    /goes on from .*checkpoint-2/,
    /再開/,
  ],
  [
    "a run that was killed before it saved its model",
    () => changed(finished, (dir) => writeFileSync(join(dir, unsavedName), "")),
    "unsaved",
    /complete, but its model was not saved: it is taken from .*checkpoint-4/,
    /まだ保存されていません。.*checkpoint-4/,
  ],
  [
    "the same, its newest checkpoint damaged",
    () => changed(unsaved(), (dir) => cut(join(dir, "checkpoint-4/optimizer.safetensors"))),
    "unsaved",
    /checkpoint-3 .*Passed over and kept: .*checkpoint-4/,
    /checkpoint-3/,
  ],
  [
    "the same, without any checkpoint",
    () => changed(unsaved(), (dir) => eachCheckpoint(dir, (one) => rmSync(one, { recursive: true }))),
    "finished",
    /already complete .*model was not saved, and no whole checkpoint is left/,
    /モデルは保存されておらず/,
  ],
  ["a finished run", () => copyOf(finished), "finished", /already complete/, /すでに終わっています/],
  [
    "a finished run whose checkpoints are damaged",
    () => changed(finished, (dir) => eachCheckpoint(dir, (one) => cut(join(one, "trainer_state.json")))),
    "finished",
    /already complete/,
    /すでに終わっています/,
  ],
  [
    "a finished run of Python's",
    () => changed(finished, (dir) => [asPython(dir), rmSync(join(dir, "trainer_state.json"))]),
    "finished",
    /already complete/,
    /すでに終わっています/,
  ],
  [
    "damaged checkpoints only",
    () => changed(unfinished, (dir) => eachCheckpoint(dir, (one) => cut(join(one, "trainer_state.json")))),
    "damaged",
    /cannot be read.*checkpoint-2: .*checkpoint-1: /,
    /読み取れない.*checkpoint-2/,
  ],
];
const asks: GuardDecision["found"][] = ["finished", "damaged"];
const goesOn: GuardDecision["found"][] = ["unfinished", "unsaved"];

/** Where the guard runs: what it may find there, and whether somebody can answer. */
const places: [what: string, setUp: (ask: (prompt: string) => string) => void, answers: boolean][] = [
  ["a notebook with stdin", (ask) => setNotebookHost(host(true, ask)), true],
  ["a notebook without stdin", (ask) => setNotebookHost(host(false, ask)), false],
  ["a notebook in CI", (ask) => inEnvironment("CI", "true", ask), false],
  ["a Kaggle batch run", (ask) => inEnvironment("KAGGLE_KERNEL_RUN_TYPE", "Batch", ask), false],
  ["a Kaggle editor", (ask) => inEnvironment("KAGGLE_KERNEL_RUN_TYPE", "Interactive", ask), false],
  // The tests' own stdin is no terminal.
  ["a pipe", () => setNotebookHost(undefined), false],
];
const answers: [text: string, yes: boolean][] = [
  ["y", true],
  [" YES ", true],
  ["はい", true],
  ["", false],
  ["no", false],
  ["いいえ", false],
  ["yesterday", false],
];

for (const [what, made, found, en, ja] of states) {
  test(`${what}: every answer, in every place`, async () => {
    let dir = made();
    for (const on_conflict of ["ask", "stop", "overwrite"] as const) {
      for (const [place, setUp, answered] of places) {
        for (const [answer, yes] of answered && on_conflict === "ask" ? answers : [["y", true] as const]) {
          const prompts: string[] = [];
          setUp((prompt) => {
            prompts.push(prompt);
            return answer;
          });
          const decision = await checkpointGuard({ args: argsFor(dir), on_conflict });
          clearPlace();
          const mayAsk = on_conflict === "ask" && answered && asks.includes(found);
          const anew = found !== "nothing" && (on_conflict === "overwrite" || (mayAsk && yes));
          const usual = found === "nothing" ? "start" : goesOn.includes(found) ? "resume" : "stop";
          const where = `${place}, ${on_conflict}, answer ${JSON.stringify(answer)}`;
          assert.equal(decision.found, found, where);
          assert.equal(decision.action, anew ? "start" : usual, where);
          assert.equal(prompts.length, mayAsk ? 1 : 0, where);
          assert.equal(decision.checkpoint !== undefined, decision.action === "resume", where);
          assert.equal(decision.reason, decision.message.en);
          if (mayAsk)
            assert.match(prompts[0]!, /最初から学習し直しますか.*\n.*Train from the beginning.*\[y\/N\]/, where);
          assert.match(
            decision.message.en,
            anew ? /from the beginning; what was there is kept in .*previous-/ : en,
            where,
          );
          assert.match(decision.message.ja, anew ? /最初から学習を始めます。.*previous-.*に残しました/ : ja, where);
          if (anew) {
            assert.equal((await checkpointGuard({ args: argsFor(dir) })).found, "nothing", where);
            dir = made();
          }
        }
      }
    }
  });
}

test("overwriting keeps the finished model whole, and what the new run starts from", async () => {
  const dir = copyOf(finished);
  writeFileSync(join(dir, "mine.txt"), "");
  await checkpointGuard({ args: argsFor(dir), on_conflict: "overwrite" });
  const [previous] = readdirSync(dir).filter((name) => name.startsWith("previous-"));
  const kept = readdirSync(join(dir, previous!));
  for (const name of ["adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "trainer_state.json"])
    assert.ok(kept.includes(name), name);
  assert.deepEqual(
    readdirSync(dir).sort(),
    ["chat_template.jinja", "mine.txt", previous, "tokenizer.json", "tokenizer_config.json"].sort(),
  );
});

test("a terminal: asks the person, and takes Ctrl-C and the end of input for no", async () => {
  const cases: [what: string, dir: string, key: string, action: string][] = [
    ["no", copyOf(finished), "n\n", "stop"],
    ["yes", copyOf(finished), "y\n", "start"],
    ["yes to damaged ones", states.at(-1)![1](), "y\n", "start"],
    ["the end of input", copyOf(finished), "\u0004", "stop"],
    ["Ctrl-C", copyOf(finished), "\u0003", "stop"],
  ];
  await Promise.all(
    cases.map(async ([what, dir, key, action]) => {
      assert.match(await inTerminal(dir, key), new RegExp(`\\[y/N\\][\\s\\S]*decision: ${action}`), what);
    }),
  );
});

/** util-linux's script gives the child a terminal; the key is pressed when the question is there. */
async function inTerminal(dir: string, key: string): Promise<string> {
  const script = fileURLToPath(new URL("./guard-in-terminal.js", import.meta.url));
  const env = { ...process.env, KAISETSU_OUTPUT_DIR: dir };
  const child = spawn("script", ["-qec", `"${process.execPath}" "${script}"`, "/dev/null"], { env });
  let text = "";
  let pressed = false;
  child.stdout.setEncoding("utf8").on("data", (piece) => {
    text += piece;
    if (!pressed && text.includes("[y/N]")) pressed = child.stdin.write(key);
  });
  await once(child, "close");
  return text;
}

function inEnvironment(name: string, value: string, ask: (prompt: string) => string): void {
  process.env[name] = value;
  setNotebookHost(host(true, ask));
}

function clearPlace(): void {
  for (const name of ["KAGGLE_KERNEL_RUN_TYPE", "CI"]) delete process.env[name];
  setNotebookHost(undefined);
}

function changed(source: string, change: (dir: string) => unknown): string {
  const dir = copyOf(source);
  change(dir);
  return dir;
}

function unsaved(): string {
  return changed(finished, (dir) => writeFileSync(join(dir, unsavedName), ""));
}

function eachCheckpoint(dir: string, change: (checkpoint: string) => void): void {
  for (const name of checkpointNames(dir)) change(join(dir, name));
}

/** What only our checkpoints hold is gone. */
function asPython(dir: string): void {
  for (const name of ["manifest.json", "optimizer.safetensors", "scheduler.json", "bookkeeping.json"])
    eachCheckpoint(dir, (one) => rmSync(join(one, name)));
}

function rename(dir: string, from: string, to: string): void {
  renameSync(join(dir, from), join(dir, to));
}

function host(asks: boolean, ask: (prompt: string) => string): NotebookHost {
  return { display() {}, clearOutput() {}, canAsk: () => asks, ask };
}

function cut(path: string): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length / 2));
}

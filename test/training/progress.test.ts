import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { after, afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { JSDOM } from "jsdom";
import { TrainerState } from "../../src/index.js";
import { setNotebookHost } from "../../src/notebook/host.js";
import { renderProgress } from "../../src/training/report/notebook-progress.js";
import { freshDir, makeTrainer } from "./tiny.js";

const folders: string[] = [];
afterEach(() => setNotebookHost(undefined));
after(() => {
  for (const dir of folders) rmSync(dir, { recursive: true });
});

test("in a notebook a run is one display that updates in place", async () => {
  const shown: { html: string; id: string | undefined; update: boolean }[] = [];
  setNotebookHost({
    display(data, options = {}) {
      shown.push({ html: data["text/html"] as string, id: options.display_id, update: options.update ?? false });
    },
    clearOutput() {},
    canAsk: () => false,
    ask: () => assert.fail("asked"),
  });
  const trainer = await makeTrainer({
    args: {
      output_dir: freshDir(folders),
      disable_tqdm: false,
      per_device_train_batch_size: 2,
      max_steps: 3,
      logging_steps: 1,
      eval_strategy: "steps",
      eval_steps: 3,
      save_strategy: "no",
    },
    n_eval: 1,
  });
  await trainer.train();
  trainer.model.dispose();
  assert.ok(shown.length >= 2);
  assert.equal(new Set(shown.map(({ id }) => id)).size, 1);
  assert.deepEqual(
    shown.map(({ update }) => update),
    shown.map((_, i) => i > 0),
  );
  const page = new JSDOM(shown.at(-1)!.html).window.document;
  const bar = page.querySelector("progress")!;
  assert.equal(bar.value, 3);
  assert.equal(bar.max, 3);
  assert.ok(bar.getAttribute("aria-label"));
  assert.match(page.querySelector("p")!.textContent!, /学習終了：ステップ 3 \/ 3/);
  assert.match(page.querySelector("img")!.alt, /学習 .*\(3\).*評価 .*\(1\)/);
  const names = [...page.querySelectorAll("div > table th")].map((cell) => cell.textContent);
  assert.ok(names.includes("eval_loss") && names.includes("loss") && names.includes("learning_rate"));
  assert.ok(!names.some((name) => /runtime|per_second|total_flos/.test(name!)));
});

test("time left is counted from this session's steps, and unknown before the first", () => {
  const state = new TrainerState();
  Object.assign(state, { global_step: 60, max_steps: 100, epoch: 1.5 });
  const text = (steps: number) => renderProgress(state, { activity: "学習中", seconds: 100, steps }).text;
  assert.match(text(20), /残り約 3:20/);
  assert.match(text(0), /残り約 \?/);
});

test("a terminal gets a bar with time left and loss; a pipe only lines now and then", () => {
  const script = fileURLToPath(new URL("../torture/train.js", import.meta.url));
  const settings = (output_dir: string) =>
    JSON.stringify({ output_dir, disable_tqdm: false, max_steps: 3, logging_steps: 1, save_strategy: "no" });
  const command = `"${process.execPath}" "${script}" '${settings(freshDir(folders))}'`;
  const terminal = spawnSync("script", ["-qec", command, "/dev/null"], { encoding: "utf8" });
  assert.match(terminal.stdout, /█+░* [123]\/3 steps, \d:\d\d left, loss \d/);
  const piped = spawnSync(process.execPath, [script, settings(freshDir(folders))], { encoding: "utf8" });
  const lines = piped.stderr.split("\n").filter((line) => line.startsWith("kaisetsu: step"));
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /step 3\/3, 0:00 left, loss \d/);
  assert.ok(!piped.stderr.includes("█"));
});

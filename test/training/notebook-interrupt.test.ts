import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { listCheckpoints } from "../../src/checkpoint/find.js";
import { plain, startKernel, type TestKernel } from "../kernel/session.js";
import { freshDir } from "./tiny.js";

const folders: string[] = [];
let kernel: TestKernel;
before(async () => {
  kernel = await startKernel(freshDir(folders));
  // By a name that the cell's type checker does not know: it looks for no declarations then.
  const tiny = new URL("./tiny.js", import.meta.url).href;
  const { reply } = await kernel.run(`
    const place: string = ${JSON.stringify(tiny)};
    const { makeTrainer } = await import(place);
    const pause = { on_step_end: () => new Promise((resolve) => setTimeout(resolve, 30)) };
    const start = (args: object) =>
      makeTrainer({ args: { disable_tqdm: false, max_steps: 200, logging_steps: 1, ...args }, callbacks: [pause] });`);
  assert.equal(reply.status, "ok", plain(reply.traceback));
});
after(async () => {
  await kernel.stop();
  for (const dir of folders) rmSync(dir, { recursive: true });
});

/** Runs a training cell and interrupts it `times` times once its progress display is there. */
async function interrupted(code: string, times: number): Promise<{ ename: unknown; traceback: string }> {
  const execution = kernel.client.execute(code);
  let displays = 0;
  for await (const { header } of execution) {
    if (!/display_data$/.test(header.msg_type) || ++displays !== 2) continue;
    for (let i = 0; i < times; i++) await kernel.client.interrupt();
  }
  const { content } = await execution.reply;
  return { ename: content.ename, traceback: plain(content.traceback as string[]) };
}

test("the interrupt button saves what is done and says how to go on; the next cell does", async () => {
  const output_dir = freshDir(folders);
  const settings = JSON.stringify({ output_dir });
  const { ename, traceback } = await interrupted(`await (await start(${settings})).train()`, 1);
  assert.equal(ename, "TrainingInterruptedError", traceback);
  const [checkpoint] = await listCheckpoints(output_dir);
  assert.ok(checkpoint && checkpoint.step > 0 && checkpoint.step < 200);
  assert.match(traceback, new RegExp(`is saved in .*checkpoint-${checkpoint.step}; go on with`));
  const { result } = await kernel.run(
    `(await (await start(${settings})).train({ resume_from_checkpoint: true })).global_step`,
  );
  assert.equal(result, "200");
});

test("a second press stops at once, and training can start again in the same kernel", async () => {
  const output_dir = freshDir(folders);
  const settings = (max_steps: number) => JSON.stringify({ output_dir, max_steps, save_steps: 5 });
  // A save would take its time; the second press does not wait for it.
  const { ename, traceback } = await interrupted(`await (await start(${settings(400)})).train()`, 2);
  assert.ok(ename === "KeyboardInterrupt" || ename === "TrainingInterruptedError", traceback);
  const { result, reply } = await kernel.run(`(await (await start(${settings(20)})).train()).global_step`);
  assert.equal(result, "20", plain(reply.traceback));
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { plain, startKernel, type TestKernel } from "./session.js";

describe("interrupts", () => {
  let kernel: TestKernel;
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-interrupt-"));

  before(async () => {
    writeFileSync(
      join(folder, "training.ts"),
      "export const seen = { steps: 0 };\nexport async function train(): Promise<void> {\n  for (;;) { await new Promise((done) => setTimeout(done, 20)); seen.steps++; }\n}",
    );
    kernel = await startKernel(folder);
    await kernel.run(
      "let kept = 'kept'; import { AsyncLocalStorage } from 'async_hooks'; import { train, seen } from './training'",
    );
  });
  after(async () => {
    await kernel?.stop();
    rmSync(folder, { recursive: true });
  });

  /** Interrupts the cell once it has printed, and checks that it ends soon, its variables intact. */
  async function interrupted(code: string, how: () => unknown = () => kernel.client.interrupt()) {
    let began = 0;
    const execution = kernel.client.execute(`console.log('running');\n${code}`);
    for await (const { header } of execution) {
      if (header.msg_type !== "stream" || began > 0) continue;
      await sleep(50);
      began = Date.now();
      void how();
    }
    const { content } = await execution.reply;
    assert.equal(content.ename, "KeyboardInterrupt", code);
    // A few hundredths of a second on an idle machine.
    assert.ok(Date.now() - began < 3000, `${code} took ${Date.now() - began} ms`);
    assert.equal((await kernel.run("kept")).result, "'kept'");
    return plain(content.traceback);
  }

  it("stops a synchronous loop and says where it was", async () => {
    const traceback = await interrupted("function spin() {\n  while (true);\n}\nspin()");
    assert.match(traceback, /at spin \(cell \d+:3:\d+\)\n {4}at cell \d+:5:1/);
  });

  it("stops a loop after an await, in a timer and in a promise job", async () => {
    await interrupted("await null; for (;;) kept = kept");
    await interrupted("await new Promise(() => setTimeout(() => { for (;;); }))");
    await interrupted("await Promise.resolve().then(() => { for (;;); })");
    await interrupted("await new AsyncLocalStorage<number>().run(1, async () => { await null; for (;;); })");
    await interrupted("process.nextTick(() => { for (;;); }); await new Promise(() => {})");
    await interrupted("queueMicrotask(() => { for (;;); }); await new Promise(() => {})");
    await interrupted("for (;;) try { for (;;); } catch {} finally { kept = kept }");
  });

  it("stops a wait for a child process, and a loop that prints faster than anybody reads", async () => {
    await interrupted("require('child_process').execSync('sleep 20; echo late', { stdio: 'inherit' })");
    await interrupted("for (;;) console.log('flood')");
    await interrupted("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20_000)");
  });

  it("stops what waits: a promise, a timer, a prompt", async () => {
    await interrupted("await new Promise(() => {})");
    await interrupted("await new Promise((done) => setTimeout(done, 60_000))");
    const execution = kernel.client.execute("prompt('?')", { onInput: () => new Promise<string>(() => {}) });
    setTimeout(() => kernel.client.interrupt(), 200);
    assert.equal((await execution.reply).content.ename, "KeyboardInterrupt");
  });

  it("stops a training loop in a library, for good", async () => {
    await interrupted("await train()");
    await sleep(100);
    const before = Number((await kernel.run("seen.steps")).result);
    await sleep(200);
    const after = Number((await kernel.run("seen.steps")).result);
    assert.ok(before > 0, "it had run");
    assert.equal(after, before, "it must not go on in the background");
  });

  it("takes SIGINT for an interrupt", async () => {
    await interrupted("await new Promise(() => {})", () => kernel.process.kill("SIGINT"));
    // From Node 24 on only Jupyter's own interrupt_request reaches a busy thread; see protocol/signal.ts.
    if (Number(process.versions.node.split(".")[0]) >= 24) return;
    await interrupted("for (;;);", () => kernel.process.kill("SIGINT"));
    await interrupted("await null; for (;;);", () => kernel.process.kill("SIGINT"));
  });

  it("does nothing to an idle kernel", async () => {
    await kernel.client.interrupt();
    kernel.process.kill("SIGINT");
    await sleep(50);
    assert.equal((await kernel.run("kept")).result, "'kept'");
  });

  it("answers heartbeats and control, and completes, while a cell computes", async () => {
    const execution = kernel.client.execute("console.log('running'); for (;;);");
    for await (const { header } of execution) {
      if (header.msg_type !== "stream") continue;
      await kernel.client.heartbeat(500);
      const info = await kernel.client.request("kernel_info_request", {}, "control");
      assert.equal(info.content.status, "ok");
      const completed = await kernel.client.request("complete_request", { code: "kept.toUpperC", cursor_pos: 13 });
      assert.deepEqual(completed.content.matches, ["toUpperCase"]);
      await kernel.client.interrupt();
    }
    assert.equal((await execution.reply).content.ename, "KeyboardInterrupt");
  });
});

describe("asking", () => {
  let kernel: TestKernel;
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-stdin-"));

  before(async () => {
    kernel = await startKernel(folder);
  });
  after(async () => {
    await kernel?.stop();
    rmSync(folder, { recursive: true });
  });

  it("asks with prompt, confirm and password", async () => {
    const asked: unknown[] = [];
    const answers = ["解説", "", "maybe", "y", "n", "secret"];
    const ran = await kernel.run(
      "console.log('before'); [prompt('Name?'), prompt('Empty?', 'default'), confirm('Sure?'), confirm('Again?'), password('Key:')]",
      {
        onInput: (request) => {
          asked.push([request.prompt, request.password]);
          return answers.shift()!;
        },
      },
    );
    assert.equal(ran.result, "[ '解説', 'default', true, false, 'secret' ]");
    assert.deepEqual(asked, [
      ["Name?", false],
      ["Empty?", false],
      ["Sure? [y/N] ", false],
      ["Sure? [y/N] ", false],
      ["Again? [y/N] ", false],
      ["Key:", true],
    ]);
  });

  it("serves readline, without blocking", async () => {
    const lines = ["first", "second"];
    const ran = await kernel.run(
      "import * as readline from 'node:readline/promises'; const rl = readline.createInterface({ input: process.stdin, output: process.stdout }); let ticks = 0; const timer = setInterval(() => ticks++, 5); const one = await rl.question('One? '); const two = await rl.question('Two? '); clearInterval(timer); rl.close(); [one, two, ticks > 0]",
      {
        onInput: async () => {
          await sleep(50);
          return lines.shift()!;
        },
      },
    );
    assert.equal(ran.result, "[ 'first', 'second', true ]", plain(ran.reply.traceback));
    assert.match(ran.stdout, /One\? .*Two\? /s);
    const again = await kernel.run(
      "const rl2 = readline.createInterface({ input: process.stdin }); const three = await rl2.question('Three? '); rl2.close(); three",
      { onInput: () => "third" },
    );
    assert.equal(again.result, "'third'");
  });

  it("fails at once where nobody can answer", async () => {
    for (const code of ["prompt('?')", "confirm('?')", "password('?')"]) {
      const { reply } = await kernel.run(code);
      assert.equal(reply.ename, "StdinNotAllowedError", code);
      assert.match(reply.evalue!, /takes no input/);
    }
    const host = await kernel.run("(globalThis as any)[Symbol.for('kaisetsu.host')].canAsk()");
    assert.equal(host.result, "false");
    const lines = await kernel.run("for await (const line of readline.createInterface({ input: process.stdin })) line");
    assert.equal(lines.reply.ename, "StdinNotAllowedError");
  });
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Dealer } from "zeromq";
import { KernelClient } from "../../kernel/client.js";
import { startKernel, type TestKernel } from "./session.js";

/** Cells in one kernel; KAISETSU_STRESS=10000 makes it a long test. */
const cells = Number(process.env.KAISETSU_STRESS ?? 150);
const interrupts = Math.max(8, Math.round(cells / 200));

describe(`a kernel that runs ${cells} cells`, () => {
  let kernel: TestKernel;
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-stress-"));

  before(async () => {
    kernel = await startKernel(folder);
  });
  after(async () => {
    await kernel?.stop();
    rmSync(folder, { recursive: true });
  });

  it("answers each with its own value, whatever was interrupted in between", async () => {
    await kernel.run("let total = 0; function add(n: number) { total += n; return total }");
    let expected = 0;
    for (let i = 0; i < cells; i++) {
      if (i % Math.ceil(cells / interrupts) === 0) await interruptAtRandom(i);
      expected += i;
      const ran = await kernel.run(`const v${i % 40} = ${i}; interface T${i % 40} { n: ${i} }; add(v${i % 40})`);
      assert.equal(ran.result, String(expected), JSON.stringify(ran.reply));
    }
  });

  /** The cell ends by itself or interrupted, but it ends, and the kernel goes on. */
  async function interruptAtRandom(seed: number): Promise<void> {
    const kinds = [
      "for (let i = 0; i < 3e7; i++); await null; for (let i = 0; i < 3e7; i++);",
      "for (let i = 0; i < 50; i++) await new Promise((done) => setTimeout(done, 1))",
      "for (let i = 0; i < 3000; i++) console.log(i)",
      "JSON.parse(JSON.stringify(Array.from({ length: 200000 }, (_, i) => ({ i }))))[1].i",
    ];
    const execution = kernel.client.execute(kinds[seed % kinds.length]!, { stop_on_error: false });
    await sleep((seed * 7919) % 90);
    await kernel.client.interrupt();
    const { status, ename } = (await execution.reply).content;
    assert.ok(status === "ok" || ename === "KeyboardInterrupt", `${status} ${ename}`);
  }

  it("keeps its memory within bounds", async () => {
    const bound = 5 + cells * 0.05;
    const before = await retainedMemory();
    for (let i = 0; i < cells; i++) await kernel.run(`const big = new Float32Array(100_000).fill(${i}); big[0]`);
    let growth = Number.POSITIVE_INFINITY;
    // V8 frees arrays in a thread of its own: on a busy machine some time after the collection.
    for (let i = 0; i < 40 && growth >= bound; i++) {
      growth = (await retainedMemory()) - before;
      await sleep(100);
    }
    // 0.4 MB a cell would be kept if earlier values were. (Resident memory says little here: V8 collects when it likes.)
    assert.ok(growth < bound, `${growth.toFixed(0)} MB more`);
  });

  it("survives clients that come, send rubbish and vanish", async () => {
    const clients = Array.from({ length: 20 }, () => new KernelClient(kernel.connection));
    for (const [i, client] of clients.entries()) {
      const execution = client.execute(`await new Promise((done) => setTimeout(done, 5)); ${i}`);
      execution.reply.catch(() => {});
      if (i % 2 === 0) client.close();
    }
    const socket = new Dealer({ linger: 0 });
    socket.connect(`tcp://127.0.0.1:${kernel.connection.control_port}`);
    for (let i = 0; i < 50; i++)
      await socket.send(Array.from({ length: i % 8 }, () => Buffer.alloc(i * 13, i)).concat(Buffer.alloc(1)));
    socket.close();
    const ran = await kernel.run("'still here'");
    assert.equal(ran.result, "'still here'");
    for (const client of clients) client.close();
    await kernel.client.heartbeat(1000);
  });

  /** MB that the cells' thread holds on to after a collection. */
  async function retainedMemory(): Promise<number> {
    await kernel.run(`
      import { setFlagsFromString } from "node:v8";
      import { runInNewContext } from "node:vm";
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc") as () => void;`);
    const { result } = await kernel.run(
      "collect(); process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers",
    );
    return Number(result) / 2 ** 20;
  }
});

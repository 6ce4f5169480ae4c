import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Message } from "../../kernel/wire.js";
import { startKernel, type TestKernel } from "./session.js";

describe("comms", () => {
  let kernel: TestKernel;
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-comms-"));

  before(async () => {
    kernel = await startKernel(folder);
  });
  after(async () => {
    await kernel?.stop();
    rmSync(folder, { recursive: true });
  });

  /** The broadcasts with comm messages that `act` leads to. */
  async function hearing(count: number, act: () => Promise<unknown>): Promise<Message[]> {
    const heard: Message[] = [];
    const enough = new Promise<void>((resolve) => {
      const listen = (message: Message) => {
        if (message.header.msg_type.startsWith("comm_")) heard.push(message);
        if (heard.length === count) resolve();
      };
      kernel.client.on("iopub", listen);
      enoughDone = () => kernel.client.off("iopub", listen);
    });
    await act();
    await enough;
    enoughDone();
    return heard;
  }
  let enoughDone = () => {};

  it("refuses a target that nobody registered, on iopub", async () => {
    const [closed] = await hearing(1, () =>
      kernel.client.send("comm_open", { comm_id: "c0", target_name: "unknown", data: {} }),
    );
    assert.equal(closed!.header.msg_type, "comm_close");
    assert.equal(closed!.content.comm_id, "c0");
  });

  it("talks both ways, with buffers, and lists what is open", async () => {
    await kernel.run(`
      let closed = false;
      notebook.comms.registerTarget("echo", (comm, opening) => {
        comm.send({ greeting: opening.data.name });
        comm.onMessage(({ data, buffers }) => comm.send({ twice: data.n * 2 }, { buffers }));
        comm.onClose(() => { closed = true; });
      });`);
    const [greeting] = await hearing(1, () =>
      kernel.client.send("comm_open", { comm_id: "c1", target_name: "echo", data: { name: "解説" } }),
    );
    assert.deepEqual(greeting!.content, { comm_id: "c1", data: { greeting: "解説" } });
    const bytes = Buffer.from([0, 1, 254, 255]);
    const [echo] = await hearing(1, () =>
      kernel.client.send("comm_msg", { comm_id: "c1", data: { n: 21 } }, { buffers: [bytes] }),
    );
    assert.deepEqual(echo!.content.data, { twice: 42 });
    assert.deepEqual(echo!.buffers, [bytes]);
    const info = async (content: Record<string, unknown>) =>
      (await kernel.client.request("comm_info_request", content)).content.comms;
    assert.deepEqual(await info({}), { c1: { target_name: "echo" } });
    assert.deepEqual(await info({ target_name: "other" }), {});
    await kernel.client.send("comm_close", { comm_id: "c1", data: {} });
    assert.equal((await kernel.run("closed")).result, "true");
    assert.deepEqual(await info({}), {});
  });

  it("opens comms from a cell, as widgets do", async () => {
    const [opened, message, closed] = await hearing(3, () =>
      kernel.run(`
        const widget = notebook.comms.open("jupyter.widget", { data: { state: { value: 1 } }, metadata: { version: "2.1.0" }, buffers: [new Uint8Array([7])] });
        widget.send({ method: "update", state: { value: 2 } });
        widget.close();`),
    );
    assert.equal(opened!.content.target_name, "jupyter.widget");
    assert.deepEqual(opened!.metadata, { version: "2.1.0" });
    assert.deepEqual(opened!.buffers, [Buffer.from([7])]);
    assert.deepEqual(message!.content.data, { method: "update", state: { value: 2 } });
    assert.equal(closed!.header.msg_type, "comm_close");
  });

  it("shows the front end what a listener throws, and goes on", async () => {
    await kernel.run("notebook.comms.registerTarget('faulty', () => { throw new Error('in the listener') })");
    const [closed] = await hearing(1, () =>
      kernel.client.send("comm_open", { comm_id: "c2", target_name: "faulty", data: {} }),
    );
    assert.equal(closed!.header.msg_type, "comm_close");
    assert.equal((await kernel.run("1 + 1")).result, "2");
  });
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Dealer, Subscriber } from "zeromq";
import type { Header, Message } from "../../kernel/wire.js";
import { decode, encode, makeHeader } from "../../kernel/wire.js";
import { plain, startKernel, type TestKernel } from "./session.js";

describe("the Jupyter protocol", () => {
  let kernel: TestKernel;
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-protocol-"));

  before(async () => {
    kernel = await startKernel(folder);
  });
  after(async () => {
    await kernel?.stop();
    rmSync(folder, { recursive: true });
  });

  const ask = async (type: string, content: Record<string, unknown> = {}, channel?: "control") =>
    (await kernel.client.request(type, content, channel)).content;

  it("introduces itself, on shell and on control", async () => {
    for (const channel of [undefined, "control"] as const) {
      const info = await ask("kernel_info_request", {}, channel);
      assert.equal(info.status, "ok");
      assert.match(String(info.protocol_version), /^5\.\d+$/);
      const language = info.language_info as Record<string, string>;
      assert.deepEqual([language.name, language.file_extension], ["typescript", ".ts"]);
      assert.equal(info.implementation, "kaisetsu");
      assert.ok(info.banner && info.help_links && info.supported_features);
    }
  });

  it("answers heartbeats", () => kernel.client.heartbeat(500));

  it("welcomes each subscriber", async () => {
    const { iopub_port, key } = kernel.connection;
    for (let i = 0; i < 2; i++) {
      const socket = new Subscriber({ linger: 0, receiveTimeout: 2000 });
      socket.connect(`tcp://127.0.0.1:${iopub_port}`);
      socket.subscribe("");
      const { header, content } = decode(await socket.receive(), key);
      assert.equal(header.msg_type, "iopub_welcome");
      assert.deepEqual(content, { subscription: "" });
      socket.close();
    }
  });

  it("puts busy and idle around every request, with the request as parent of all", async () => {
    for (const [type, channel] of [
      ["kernel_info_request", "shell"],
      ["comm_info_request", "shell"],
      ["is_complete_request", "shell"],
      ["kernel_info_request", "control"],
    ] as const) {
      const heard: Message[] = [];
      const listen = (message: Message) => heard.push(message);
      kernel.client.on("iopub", listen);
      const reply = await kernel.client.request(type, { code: "1" }, channel);
      const { msg_id } = reply.parent_header as Header;
      // The end of the request before may still be under way.
      const own = () => heard.filter(({ parent_header }) => (parent_header as Header).msg_id === msg_id);
      await until(() => own().some(({ content }) => content.execution_state === "idle"));
      kernel.client.off("iopub", listen);
      assert.deepEqual(
        own().map(({ content }) => content.execution_state),
        ["busy", "idle"],
        type,
      );
      for (const { parent_header } of own()) assert.deepEqual(parent_header, reply.parent_header);
      assert.equal(reply.header.msg_type, type.replace("request", "reply"));
      assert.ok(reply.content.status);
    }
  });

  it("counts executions, and broadcasts the input first", async () => {
    const first = await kernel.run("'one'");
    const second = await kernel.run("'two'");
    assert.equal(second.reply.execution_count, first.reply.execution_count! + 1);
    const [input, result] = second.messages;
    assert.deepEqual(input!.content, { code: "'two'", execution_count: second.reply.execution_count });
    assert.deepEqual(result!.content, {
      data: { "text/plain": "'two'" },
      metadata: {},
      execution_count: second.reply.execution_count,
    });
    assert.deepEqual(second.reply.payload, []);
    assert.deepEqual(second.reply.user_expressions, {});
  });

  it("is quiet when silent, and keeps count and history when store_history is false", async () => {
    const before = (await kernel.run("0")).reply.execution_count!;
    const silent = await kernel.run("console.log('x'); notebook.display('y'); 5", { silent: true });
    assert.deepEqual(silent.messages, []);
    assert.equal(silent.reply.execution_count, before);
    assert.deepEqual((await kernel.run("throw new Error('quiet')", { silent: true })).messages, []);
    const unstored = await kernel.run("'unstored'", { store_history: false });
    assert.equal(unstored.result, "'unstored'");
    assert.equal(unstored.reply.execution_count, before);
    const history = await ask("history_request", { hist_access_type: "tail", n: 3 });
    assert.ok(!JSON.stringify(history).includes("unstored"));
  });

  it("evaluates user expressions, each to a bundle or an error", async () => {
    const { reply } = await kernel.run("const base = 20", {
      user_expressions: { sum: "base + 1", bad: "nothing.here", rows: "[{ a: base }]" },
    });
    const results = reply.user_expressions as Record<string, Record<string, Record<string, string>>>;
    assert.deepEqual(results.sum, { status: "ok", data: { "text/plain": "21" }, metadata: {} });
    assert.equal(results.bad!.status as unknown, "error");
    assert.equal(results.bad!.ename as unknown, "ReferenceError");
    assert.match(results.rows!.data!["text/html"]!, /<table>/);
  });

  it("aborts what is queued behind an error, but only then", async () => {
    // Only what has arrived when the first one fails is queued behind it.
    const first = "await new Promise((done) => setTimeout(done, 300)); throw new Error('first')";
    const codes = [first, "'second'", "'third'"];
    const stopping = await Promise.all(codes.map((code) => kernel.run(code)));
    assert.deepEqual(
      stopping.map(({ reply }) => reply.status),
      ["error", "aborted", "aborted"],
    );
    assert.deepEqual(stopping[1]!.messages, []);
    assert.equal((await kernel.run("'at once'")).result, "'at once'");
    const going = await Promise.all(codes.map((code) => kernel.run(code, { stop_on_error: false })));
    assert.deepEqual(
      going.map(({ reply }) => reply.status),
      ["error", "ok", "ok"],
    );
  });

  it("completes names of this cell, of earlier cells and of what they hold", async () => {
    await kernel.run(
      "const testVariableForCompletion = { inner: 1, 'with space': 2 }; interface ShapeForCompletion { a: 1 }",
    );
    const complete = (code: string, cursor_pos = [...code].length) => ask("complete_request", { code, cursor_pos });
    assert.deepEqual((await complete("testVariableFor")).matches, ["testVariableForCompletion"]);
    assert.deepEqual((await complete("testVariableForCompletion.in")).matches, ["inner"]);
    assert.deepEqual((await complete("let s: ShapeFor")).matches, ["ShapeForCompletion"]);
    assert.ok(((await complete("import { readFileS")).matches as string[]).length >= 0);
    const emoji = await complete("const t = '😀'; t.toUpperC");
    assert.deepEqual([emoji.matches, emoji.cursor_start, emoji.cursor_end], [["toUpperCase"], 17, 25]);
    const middle = await complete("console.log(testVariableFor)", 20);
    assert.deepEqual(middle.matches, ["testVariableForCompletion"]);
    const types = (middle.metadata as Record<string, { type: string }[]>)._jupyter_types_experimental;
    assert.equal(types![0]!.type, "variable");
  });

  it("inspects at both detail levels, and in the arguments of a call", async () => {
    await kernel.run(
      "/**\n * Adds up.\n * @param a the first\n * @returns the sum\n */\nfunction addUp(a: number, b = 1): number { return a + b }",
    );
    const inspect = async (code: string, detail_level: number, cursor_pos = code.length) => {
      const found = await ask("inspect_request", { code, cursor_pos, detail_level });
      return { found: found.found, text: (found.data as Record<string, string>)["text/plain"] ?? "" };
    };
    const brief = await inspect("addUp", 0);
    assert.equal(brief.text, "function addUp(a: number, b?: number): number\n\nAdds up.");
    assert.match((await inspect("addUp", 1)).text, /@param a the first\n@returns the sum/);
    assert.match((await inspect("addUp(1, ", 0)).text, /addUp\(a: number, b\?: number\): number/);
    assert.equal((await inspect("nothingOfTheKind", 0)).found, false);
  });

  it("tells complete, incomplete, invalid and unknown code apart", async () => {
    const status = async (code: unknown) => ask("is_complete_request", { code: code as string });
    for (const code of ["const x = 1", "await null", "function f() {}", ""])
      assert.equal((await status(code)).status, "complete", code);
    assert.deepEqual(await status("const x = {"), { status: "incomplete", indent: "  " });
    assert.deepEqual(await status("if (a) {\n  for (;;) {"), { status: "incomplete", indent: "    " });
    for (const code of ["function function", "let 1x", ")"]) assert.equal((await status(code)).status, "invalid", code);
    assert.equal((await status(undefined)).status, "unknown");
  });

  it("finds history by tail, range and search, across restarts", async () => {
    await kernel.run("'history one'");
    const { reply } = await kernel.run("'history two'");
    const count = reply.execution_count!;
    const tail = (await ask("history_request", { hist_access_type: "tail", n: 2, output: true }))
      .history as unknown[][];
    const session = tail[0]![0];
    assert.deepEqual(tail, [
      [session, count - 1, ["'history one'", "'history one'"]],
      [session, count, ["'history two'", "'history two'"]],
    ]);
    const range = await ask("history_request", {
      hist_access_type: "range",
      session: 0,
      start: count,
      stop: count + 1,
    });
    assert.deepEqual(range.history, [[session, count, "'history two'"]]);
    const search = await ask("history_request", { hist_access_type: "search", pattern: "*history*", n: 1 });
    assert.deepEqual(search.history, [[session, count, "'history two'"]]);
    const again = await startKernel(folder);
    const earlier = await again.client.request("history_request", {
      hist_access_type: "search",
      pattern: "*history t*",
    });
    assert.deepEqual(earlier.content.history, [[session, count, "'history two'"]]);
    const last = await again.client.request("history_request", {
      hist_access_type: "range",
      session: -1,
      start: count,
      stop: null,
    });
    assert.deepEqual(last.content.history, [[session, count, "'history two'"]]);
    await again.stop();
  });

  it("answers a request that it does not know with an error", async () => {
    const reply = await ask("invented_request");
    assert.equal(reply.status, "error");
    assert.match(String(reply.evalue), /invented_request/);
    assert.equal((await ask("debug_request", { command: "initialize" }, "control")).status, "error");
    assert.equal((await ask("connect_request")).shell_port, kernel.connection.shell_port);
  });

  it("drops malformed and wrongly signed messages, and goes on", async () => {
    const socket = new Dealer({ linger: 0, receiveTimeout: 300 });
    socket.connect(`tcp://127.0.0.1:${kernel.connection.shell_port}`);
    const header = makeHeader("kernel_info_request", "nobody");
    const message = { identities: [], header, parent_header: {}, metadata: {}, content: {}, buffers: [] };
    const good = encode(message, kernel.connection.key);
    const bad = [
      [Buffer.from("nonsense")],
      [Buffer.alloc(0)],
      encode(message, "another key"),
      good.slice(0, 4),
      good.map((frame, i) => (i === 2 ? Buffer.from("{") : frame)),
      good.map((frame, i) => (i === 2 ? Buffer.from("[1]") : frame)),
      [good[0]!, Buffer.alloc(0), ...good.slice(2)],
    ];
    for (const frames of bad) await socket.send(frames);
    await assert.rejects(socket.receive(), "nothing of it may be answered");
    await socket.send(good);
    assert.equal(decode(await socket.receive(), kernel.connection.key).header.msg_type, "kernel_info_reply");
    socket.close();
  });

  it("shows bundles, images and objects that show themselves, and updates them", async () => {
    const own = await kernel.run("({ [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<i>x</i>' }) })");
    const data = own.messages.at(-1)!.content.data as Record<string, string>;
    assert.equal(data["text/html"], "<i>x</i>");
    assert.ok("text/plain" in data);
    const late = await kernel.run("({ [Symbol.for('Jupyter.display')]: async () => ({ 'text/plain': 'later' }) })");
    assert.equal(late.result, "later");
    const png = await kernel.run("new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])");
    assert.ok("image/png" in (png.messages.at(-1)!.content.data as object));
    const handle = await kernel.run(
      "const handle = notebook.display({ a: 1 }); handle.update('b'); notebook.clearOutput(true)",
    );
    assert.deepEqual(handle.types, ["display_data", "update_display_data", "clear_output"]);
    const deno = await kernel.run(
      'await Deno.jupyter.broadcast("display_data", { data: { "text/html": "<b>bold</b>" }, metadata: {}, transient: {} })',
    );
    assert.deepEqual(deno.types, ["display_data"]);
    assert.equal((await kernel.run("console.log('%s has %d', 'a', 1); console.table([{ a: 1 }])")).types.length, 1);
  });

  it("prints with process.stdout.write: bytes, split characters and callbacks", async () => {
    const ran = await kernel.run(
      "const bytes = Buffer.from('解説'); process.stdout.write(bytes.subarray(0, 2)); process.stdout.write(bytes.subarray(2)); await new Promise<void>((done) => process.stdout.write('!', () => done())); process.stderr.write('e')",
    );
    assert.equal(ran.stdout, "解説!");
    assert.equal(ran.stderr, "e");
  });

  it("loses no line of 100,000 and sends few messages", async () => {
    const ran = await kernel.run("for (let i = 0; i < 100_000; i++) console.log('line ' + i)");
    const lines = ran.stdout.trimEnd().split("\n");
    assert.equal(lines.length, 100_000);
    assert.ok(lines.every((line, i) => line === `line ${i}`));
    assert.ok(ran.messages.length < 1000, `${ran.messages.length} messages`);
  });

  it("keeps the order of both streams and of displays", async () => {
    const ran = await kernel.run("console.log(1); console.error(2); notebook.display(3); console.log(4)");
    assert.deepEqual(ran.types, ["stream", "stream", "display_data", "stream"]);
  });

  it("attributes late output and stray errors to the cell that caused them", async () => {
    const heard: Message[] = [];
    const listen = (message: Message) => heard.push(message);
    kernel.client.on("iopub", listen);
    const late = kernel.client.execute(
      "setTimeout(() => { console.log('late'); throw new Error('stray') }, 200); Promise.reject(new Error('unhandled')); 0",
    );
    await late.reply;
    const other = await kernel.run("await new Promise((done) => setTimeout(done, 500)); 'other'");
    kernel.client.off("iopub", listen);
    assert.equal(other.stdout + other.stderr, "");
    assert.equal(other.reply.status, "ok");
    const streams = heard.filter(
      ({ header, parent_header }) =>
        header.msg_type === "stream" && (parent_header as { msg_id: string }).msg_id === late.msg_id,
    );
    const text = plain(streams.map(({ content }) => String(content.text)));
    assert.match(text, /Error: unhandled\n {4}at cell \d+:1:/);
    assert.match(text, /late/);
    assert.match(text, /Error: stray/);
  });

  it("ends the cell, not the kernel, at process.exit()", async () => {
    await kernel.run("const survivor = 1");
    assert.equal((await kernel.run("process.exit(); console.log('never')")).reply.status, "ok");
    const failed = await kernel.run("try { process.exit(3) } catch {} await new Promise(() => {})");
    assert.deepEqual([failed.reply.ename, failed.reply.evalue], ["ProcessExit", "process.exit(3)"]);
    assert.equal((await kernel.run("survivor")).result, "1");
  });

  it("shows a name's documentation in the pager", async () => {
    const { reply } = await kernel.run("console.log?");
    const [page] = reply.payload as { source: string; data: Record<string, string> }[];
    assert.equal(page!.source, "page");
    assert.match(page!.data["text/plain"]!, /log\(/);
  });
});

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(condition(), "waited 2 s in vain");
}

import { randomUUID } from "node:crypto";
import type { FromCells, KernelOptions, ToCells } from "../messages.js";
import { type Header, type Message, makeHeader } from "../wire.js";
import { ChildOutput } from "./children.js";
import type { Compiler } from "./compiler.js";
import { Execution } from "./execution.js";
import { History, type HistoryRequest } from "./history.js";
import { kernelInfo } from "./info.js";
import type { Interrupter } from "./interrupt.js";
import { watchMemory } from "./memory.js";
import { OutputBatcher } from "./output.js";
import { toPoints, toUnits } from "./positions.js";
import type { Sockets } from "./sockets.js";

type Channel = "shell" | "control";

/** What the requests of a client lead to. One at a time on shell; control never waits for shell. */
export class ProtocolKernel {
  private readonly options: KernelOptions;
  private readonly sockets: Sockets;
  readonly compiler: Compiler;
  private readonly interrupter: Interrupter;
  readonly toCells: (message: ToCells) => void;
  readonly history = new History();
  readonly output: OutputBatcher;
  readonly execution: Execution;
  private readonly children = new ChildOutput((id, name, text) => this.output.add(id, name, text));

  private readonly session = randomUUID();
  private readonly shellQueue: Message[] = [];
  private working = false;
  private lastRequest = performance.now();
  /** Who is to be named as parent of what a cell causes. */
  private readonly parents = new Map<number, Header>();
  private nextId = 1;
  private comms: Record<string, { target_name: string }> = {};
  private readonly stdinWaiting = new Map<string, (value: string) => void>();

  constructor(
    options: KernelOptions,
    sockets: Sockets,
    compiler: Compiler,
    interrupter: Interrupter,
    toCells: (message: ToCells) => void,
    answerInput: (value: string | undefined) => void,
  ) {
    this.options = options;
    this.sockets = sockets;
    this.compiler = compiler;
    this.interrupter = interrupter;
    this.toCells = toCells;
    this.output = new OutputBatcher((id, name, text) => this.publish("stream", { name, text }, this.parents.get(id)));
    this.execution = new Execution(this, options.types, answerInput);
  }

  start(): void {
    this.publish("status", { execution_state: "starting" }, undefined);
    this.sockets.listen("shell", (message) => this.queue(message));
    this.sockets.listen("control", (message) => void this.serve("control", message));
    this.sockets.listen("stdin", (message) => {
      const { msg_id } = message.parent_header as Header;
      const value = String(message.content.value ?? "");
      // Clients before protocol 5.? name no parent: then it answers whatever waits.
      const key = this.stdinWaiting.has(msg_id) ? msg_id : [...this.stdinWaiting.keys()][0];
      if (key !== undefined) this.stdinWaiting.get(key)!(value);
    });
    this.sockets.echoHeartbeats();
    watchMemory(this.interrupter, this.options.heapLimit, {
      running: () => this.execution.runningId,
      warn: (id, text) => this.output.add(id, "stderr", text),
    });
    this.sockets.watchSubscriptions((topic) => {
      const header = makeHeader("iopub_welcome", this.session);
      const content = { subscription: topic.toString() };
      this.sockets.send("iopub", {
        identities: [topic],
        header,
        parent_header: {},
        metadata: {},
        content,
        buffers: [],
      });
    });
  }

  /** Handles what the cells' thread reports. */
  fromCells(message: Exclude<FromCells, { kind: "sigint" }>): void {
    this.children.drain();
    if (message.kind === "stream") this.output.add(message.id, message.name, message.text);
    else if (message.kind === "children") this.children.started(message.id, message);
    else if (message.kind === "comms") this.comms = message.comms;
    else if (message.kind === "iopub") {
      this.output.flush();
      const { msgType, content, metadata, buffers } = message;
      this.publish(msgType, content, this.parents.get(message.id), metadata, buffers);
    } else this.execution.fromCells(message);
  }

  /** A new id for something that causes output, with `parent` as its cause. */
  register(parent: Header): number {
    const id = this.nextId++;
    this.parents.set(id, parent);
    if (this.parents.size > MAX_PARENTS) this.parents.delete(this.parents.keys().next().value!);
    return id;
  }

  publish(
    msgType: string,
    content: Record<string, unknown>,
    parent: Header | undefined,
    metadata: Record<string, unknown> = {},
    buffers: Uint8Array[] = [],
  ): void {
    const header = makeHeader(msgType, this.session);
    const identities = [Buffer.from(`kernel.${this.session}.${msgType}`)];
    const raw = buffers.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
    this.sockets.send("iopub", { identities, header, parent_header: parent ?? {}, metadata, content, buffers: raw });
  }

  /** Asks the client that sent `request`. The answer's message is told by its parent, or by being the only one. */
  requestInput(request: Message, prompt: string, password: boolean, answered: (value: string) => void): () => void {
    const header = makeHeader("input_request", this.session);
    const content = { prompt, password };
    this.output.flush();
    this.stdinWaiting.set(header.msg_id, (value) => {
      this.stdinWaiting.delete(header.msg_id);
      answered(value);
    });
    this.sockets.send("stdin", {
      ...request,
      header,
      parent_header: request.header,
      metadata: {},
      content,
      buffers: [],
    });
    return () => this.stdinWaiting.delete(header.msg_id);
  }

  /** Interrupts whatever the cells' thread is doing, from whichever side that was asked for. */
  async interrupt(): Promise<void> {
    if (this.execution.interruptBeforeRun()) return;
    const id = this.execution.runningId;
    const computing = await this.interrupter.interrupt();
    if (id !== undefined) this.toCells({ kind: "interrupted", id });
    else if (computing) this.execution.commInterrupted();
  }

  private queue(message: Message): void {
    // While a cell runs, what needs no cell is answered at once: completion must not wait for a training run.
    if (this.execution.runningId !== undefined && independent.has(message.header.msg_type)) {
      void this.serve("shell", message).then(() => this.execution.stillBusy());
      return;
    }
    this.shellQueue.push(message);
    void this.work();
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    for (let message = this.shellQueue.shift(); message; message = this.shellQueue.shift()) {
      await this.serve("shell", message);
    }
    this.working = false;
  }

  /** Milliseconds since a client last asked for something; 0 while a cell runs. */
  idleSince(): number {
    return this.execution.runningId === undefined ? performance.now() - this.lastRequest : 0;
  }

  private async serve(channel: Channel, request: Message): Promise<void> {
    this.lastRequest = performance.now();
    this.publish("status", { execution_state: "busy" }, request.header);
    try {
      await this.handle(channel, request);
    } catch (error) {
      const { name, message, stack } = error as Error;
      process.stderr.write(`kaisetsu kernel: ${request.header.msg_type} failed: ${stack}\n`);
      const content = { status: "error", ename: name, evalue: message, traceback: [] };
      this.reply(channel, request, content);
    }
    this.output.flush();
    this.publish("status", { execution_state: "idle" }, request.header);
  }

  reply(channel: Channel, request: Message, content: Record<string, unknown>, metadata: Record<string, unknown> = {}) {
    const header = makeHeader(request.header.msg_type.replace(/_request$/, "_reply"), this.session);
    const { identities, header: parent_header } = request;
    this.sockets.send(channel, { identities, header, parent_header, metadata, content, buffers: [] });
  }

  private async handle(channel: Channel, request: Message): Promise<void> {
    const { content } = request;
    const answer = (fields: Record<string, unknown>) => this.reply(channel, request, { status: "ok", ...fields });
    switch (request.header.msg_type) {
      case "execute_request":
        return this.execute(request);
      case "kernel_info_request":
        return answer(kernelInfo());
      case "complete_request":
        return answer(await this.complete(String(content.code ?? ""), Number(content.cursor_pos)));
      case "inspect_request": {
        const code = String(content.code ?? "");
        const cursor = toUnits(code, Number(content.cursor_pos ?? 0));
        const found = await this.compiler.inspect(code, cursor, Number(content.detail_level ?? 0));
        return answer({ ...found, metadata: {} });
      }
      case "is_complete_request":
        return this.reply(channel, request, { ...(await this.compiler.isComplete(content.code as string)) });
      case "history_request":
        return answer({ history: this.history.find(content as HistoryRequest) });
      case "comm_info_request":
        return answer({ comms: this.commInfo(content.target_name as string | undefined) });
      case "connect_request": {
        const { shell_port, iopub_port, stdin_port, control_port, hb_port } = this.options.connection;
        return answer({ shell_port, iopub_port, stdin_port, control_port, hb_port });
      }
      case "comm_open":
      case "comm_msg":
      case "comm_close":
        return this.execution.comm(request);
      case "interrupt_request":
        await this.interrupt();
        return answer({});
      case "shutdown_request":
        answer({ restart: content.restart ?? false });
        this.output.flush();
        this.publish("shutdown_reply", { status: "ok", restart: content.restart ?? false }, request.header);
        return void this.shutdown(request);
      default:
        if (request.header.msg_type.endsWith("_request")) this.unknown(channel, request);
    }
  }

  private unknown(channel: Channel, request: Message): void {
    const evalue = `this kernel has no answer to "${request.header.msg_type}"`;
    this.reply(channel, request, { status: "error", ename: "UnknownMessageType", evalue, traceback: [] });
  }

  private async execute(request: Message): Promise<void> {
    const failed = await this.execution.run(request);
    if (!failed || request.content.stop_on_error === false) return;
    // What was sent before its sender could know of the error is not run.
    const queued = this.shellQueue.splice(0);
    for (const message of queued) {
      if (message.header.msg_type === "execute_request") this.execution.abort(message);
      else this.shellQueue.push(message);
    }
  }

  abortedStatus(request: Message, send: () => void): void {
    this.publish("status", { execution_state: "busy" }, request.header);
    send();
    this.publish("status", { execution_state: "idle" }, request.header);
  }

  private async complete(code: string, cursorPoints: number) {
    const cursor = Number.isFinite(cursorPoints) ? toUnits(code, cursorPoints) : code.length;
    const { matches, start, end, types } = await this.compiler.complete(code, cursor);
    const [cursor_start, cursor_end] = [toPoints(code, start), toPoints(code, end)];
    const described = types.map((type) => ({ ...type, start: cursor_start, end: cursor_end }));
    return { matches, cursor_start, cursor_end, metadata: { _jupyter_types_experimental: described } };
  }

  private commInfo(target: string | undefined) {
    if (!target) return this.comms;
    return Object.fromEntries(Object.entries(this.comms).filter(([, { target_name }]) => target_name === target));
  }

  /** The reply must be out before the process ends. A cell that still computes is cut off. */
  private async shutdown(request: Message): Promise<void> {
    this.publish("status", { execution_state: "idle" }, request.header);
    await this.sockets.close();
    setTimeout(() => process.kill(process.pid, "SIGKILL"), 3000);
    await this.interrupter.interrupt();
    this.interrupter.disconnect();
    this.toCells({ kind: "exit", code: 0 });
  }
}

const MAX_PARENTS = 10_000;
/** Answered also while a cell runs. */
const independent = new Set([
  "kernel_info_request",
  "complete_request",
  "inspect_request",
  "is_complete_request",
  "history_request",
  "comm_info_request",
  "connect_request",
]);

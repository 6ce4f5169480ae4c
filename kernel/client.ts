import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Dealer, Request, Subscriber } from "zeromq";
import { address, type Channel, type ConnectionInfo } from "./connection.js";
import { decode, encode, type Header, type Message, makeHeader } from "./wire.js";

export interface ExecuteOptions {
  silent?: boolean;
  store_history?: boolean;
  user_expressions?: Record<string, string>;
  stop_on_error?: boolean;
  /** Metadata of the request; JupyterLab puts the cell's id here as `cellId`. */
  metadata?: Record<string, unknown>;
  /** Answers `input_request`; without it the request says `allow_stdin: false`. */
  onInput?: (request: { prompt: string; password: boolean }) => string | Promise<string>;
}

export interface ExecuteReply {
  status: "ok" | "error" | "aborted" | "abort";
  execution_count: number | null;
  ename?: string;
  evalue?: string;
  traceback?: string[];
  user_expressions?: Record<string, unknown>;
  payload?: unknown[];
}

/** One run of a cell: iterate over its iopub messages (until the kernel is idle again), then read the reply. */
export interface Execution extends AsyncIterable<Message> {
  readonly msg_id: string;
  readonly reply: Promise<Message<ExecuteReply>>;
}

/** The kernel process ended, or does not answer. */
export class DeadKernelError extends Error {
  override name = "DeadKernelError";
}

interface Pending {
  outputs: MessageQueue;
  settle(reply: Message): void;
  fail(error: Error): void;
  onInput?: ExecuteOptions["onInput"];
  replied: boolean;
  idle: boolean;
}

/**
 * A small Jupyter client. Emits `"iopub"` for every message that the kernel broadcasts, those of a running `execute`
 * included: output that arrives after its cell ended is found there only.
 */
export class KernelClient extends EventEmitter {
  readonly session = randomUUID();
  private readonly info: ConnectionInfo;
  private readonly sockets: { shell: Dealer; control: Dealer; stdin: Dealer; iopub: Subscriber };
  private readonly pending = new Map<string, Pending>();
  private readonly sending = new Map<Dealer, Promise<void>>();
  private dead: Error | undefined;

  constructor(info: ConnectionInfo) {
    super();
    this.info = info;
    // One identity for shell and stdin: the kernel routes its input_request by it.
    const routingId = this.session;
    this.sockets = {
      shell: new Dealer({ linger: 0, routingId }),
      control: new Dealer({ linger: 0, routingId }),
      stdin: new Dealer({ linger: 0, routingId }),
      iopub: new Subscriber({ linger: 0, receiveHighWaterMark: 0 }),
    };
    for (const [channel, socket] of Object.entries(this.sockets)) socket.connect(address(info, channel as Channel));
    this.sockets.iopub.subscribe();
    for (const channel of ["shell", "control", "stdin", "iopub"] as const) this.listen(channel);
  }

  /** Waits until the kernel answers and its broadcasts reach us. Rejects with `DeadKernelError` after `timeout` ms. */
  async ready(timeout = 60_000): Promise<Message> {
    const deadline = Date.now() + timeout;
    for (;;) {
      const request = this.start("kernel_info_request", {}, "shell");
      const reply = await within(request.reply, deadline - Date.now(), "the kernel did not answer in time");
      // A subscription takes a moment to reach the kernel: until then its broadcasts pass us by.
      const heard = request.outputs[Symbol.asyncIterator]().next();
      const first = await Promise.race([heard, sleep(200, undefined)]);
      this.pending.delete(request.msg_id);
      if (first !== undefined) return reply;
      if (Date.now() > deadline) throw new DeadKernelError("the kernel answers, but nothing arrives on iopub");
    }
  }

  execute(code: string, options: ExecuteOptions = {}): Execution {
    const content = {
      code,
      silent: options.silent ?? false,
      store_history: options.store_history ?? !options.silent,
      user_expressions: options.user_expressions ?? {},
      allow_stdin: options.onInput !== undefined,
      stop_on_error: options.stop_on_error ?? true,
    };
    const request = this.start("execute_request", content, "shell", options);
    return {
      msg_id: request.msg_id,
      reply: request.reply as unknown as Promise<Message<ExecuteReply>>,
      [Symbol.asyncIterator]: () => request.outputs[Symbol.asyncIterator](),
    };
  }

  /** Any request that has a reply. */
  async request(
    msgType: string,
    content: Record<string, unknown> = {},
    channel: "shell" | "control" = "shell",
  ): Promise<Message> {
    return this.start(msgType, content, channel).reply;
  }

  /** A message without a reply, such as `comm_msg`. Resolves with its id. */
  async send(
    msgType: string,
    content: Record<string, unknown>,
    { channel = "shell" as "shell" | "control", buffers = [] as Buffer[], metadata = {} } = {},
  ): Promise<string> {
    const header = makeHeader(msgType, this.session, "kaisetsu");
    await this.transmit(this.sockets[channel], header, {}, content, metadata, buffers);
    return header.msg_id;
  }

  async interrupt(): Promise<void> {
    await this.request("interrupt_request", {}, "control");
  }

  async shutdown(restart = false): Promise<void> {
    await this.request("shutdown_request", { restart }, "control");
  }

  /** Rejects when the heartbeat does not come back within `timeout` ms. */
  async heartbeat(timeout = 1000): Promise<void> {
    const socket = new Request({ linger: 0 });
    try {
      socket.connect(address(this.info, "hb"));
      await socket.send("ping");
      await within(socket.receive(), timeout, "no heartbeat");
    } finally {
      socket.close();
    }
  }

  /** Fails everything that waits for the kernel: whoever watches the process calls it when that ends. */
  declareDead(error: Error): void {
    if (this.dead) return;
    this.dead = error;
    for (const entry of this.pending.values()) entry.fail(error);
    this.pending.clear();
  }

  close(): void {
    this.declareDead(new DeadKernelError("the client was closed"));
    for (const socket of Object.values(this.sockets)) socket.close();
  }

  private start(
    msgType: string,
    content: Record<string, unknown>,
    channel: "shell" | "control",
    options: Pick<ExecuteOptions, "onInput" | "metadata"> = {},
  ) {
    const header = makeHeader(msgType, this.session, "kaisetsu");
    const outputs = new MessageQueue();
    const reply = new Promise<Message>((settle, reject) => {
      const fail = (error: Error) => {
        reject(error);
        outputs.fail(error);
      };
      if (this.dead) return fail(this.dead);
      this.pending.set(header.msg_id, {
        outputs,
        settle,
        fail,
        onInput: options.onInput,
        replied: false,
        idle: false,
      });
      this.transmit(this.sockets[channel], header, {}, content, options.metadata ?? {}).catch(fail);
    });
    // Whoever iterates over the outputs sees the same error there.
    reply.catch(() => {});
    return { msg_id: header.msg_id, reply, outputs };
  }

  private transmit(
    socket: Dealer,
    header: Header,
    parent_header: Header | Record<string, never>,
    content: Record<string, unknown>,
    metadata: Record<string, unknown> = {},
    buffers: Buffer[] = [],
  ): Promise<void> {
    const message = { identities: [], header, parent_header, metadata, content, buffers };
    // zeromq.js refuses a second send while one is waiting.
    const previous = this.sending.get(socket) ?? Promise.resolve();
    const sent = previous.catch(() => {}).then(() => socket.send(encode(message, this.info.key)));
    this.sending.set(socket, sent);
    return sent;
  }

  private async listen(channel: "shell" | "control" | "stdin" | "iopub"): Promise<void> {
    try {
      for await (const frames of this.sockets[channel]) {
        // A subscriber gets the topic as its first frame, which decode() takes for an identity.
        this.receive(channel, decode(frames, this.info.key));
      }
    } catch (error) {
      if (!this.dead) this.declareDead(error as Error);
    }
  }

  private receive(channel: string, message: Message): void {
    const entry = this.pending.get((message.parent_header as Header).msg_id);
    if (channel === "stdin") return void this.answer(message, entry);
    if (channel === "iopub") {
      this.emit("iopub", message);
      entry?.outputs.push(message);
      if (entry && message.header.msg_type === "status" && message.content.execution_state === "idle") {
        entry.idle = true;
      }
    } else if (entry) {
      entry.replied = true;
      entry.settle(message);
    }
    if (entry?.replied && entry.idle) {
      entry.outputs.end();
      this.pending.delete((message.parent_header as Header).msg_id);
    }
  }

  private async answer(request: Message, entry: Pending | undefined): Promise<void> {
    const content = request.content as { prompt: string; password: boolean };
    const value = (await entry?.onInput?.(content)) ?? "";
    const header = makeHeader("input_reply", this.session, "kaisetsu");
    await this.transmit(this.sockets.stdin, header, request.header, { value, status: "ok" });
  }
}

/** Messages in order of arrival; `end` and `fail` come after what was pushed before. */
class MessageQueue implements AsyncIterable<Message> {
  private readonly items: Message[] = [];
  private finished: { error?: Error } | undefined;
  private wake: (() => void) | undefined;

  push(message: Message): void {
    this.items.push(message);
    this.wake?.();
  }

  end(): void {
    this.finished ??= {};
    this.wake?.();
  }

  fail(error: Error): void {
    this.finished ??= { error };
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void> {
    for (;;) {
      const item = this.items.shift();
      if (item) yield item;
      else if (this.finished?.error) throw this.finished.error;
      else if (this.finished) return;
      else {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    }
  }
}

async function within<T>(promise: Promise<T>, milliseconds: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadKernelError(message)), Math.max(0, milliseconds));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

import { Router, XPublisher } from "zeromq";
import { address, type Channel, type ConnectionInfo } from "../connection.js";
import { decode, encode, type Message, WireError } from "../wire.js";

/** The kernel's five sockets: what arrives is decoded and checked, what leaves is queued in order. */
export class Sockets {
  private readonly info: ConnectionInfo;
  private readonly routers: Record<"shell" | "control" | "stdin" | "hb", Router>;
  private readonly iopub: XPublisher;
  private readonly queues = new Map<Router | XPublisher, Promise<void>>();
  private closed = false;

  constructor(info: ConnectionInfo) {
    this.info = info;
    // Without limits: a limit drops output without a word when a client is slow.
    const options = { linger: 500, sendHighWaterMark: 0, receiveHighWaterMark: 0 };
    this.routers = {
      shell: new Router(options),
      control: new Router(options),
      stdin: new Router(options),
      hb: new Router(options),
    };
    this.iopub = new XPublisher(options);
    // Every new client is told that it is subscribed, not the first one only.
    this.iopub.verbosity = "allSubs";
  }

  /** Rejects when a port is taken. */
  async bind(): Promise<void> {
    for (const [channel, socket] of [...Object.entries(this.routers), ["iopub", this.iopub] as const]) {
      await socket.bind(address(this.info, channel as Channel));
    }
  }

  /** Calls `received` for each well-formed message of the channel. Anything else is dropped with a note. */
  async listen(channel: "shell" | "control" | "stdin", received: (message: Message) => void): Promise<void> {
    await this.each(this.routers[channel], (frames) => {
      try {
        received(decode(frames, this.info.key));
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        process.stderr.write(`kaisetsu kernel: dropped a message on ${channel}: ${error.message}\n`);
      }
    });
  }

  async echoHeartbeats(): Promise<void> {
    await this.each(this.routers.hb, (frames) => void this.transmit(this.routers.hb, frames));
  }

  /** Calls `subscribed` with the topic whenever a client has subscribed. */
  async watchSubscriptions(subscribed: (topic: Buffer) => void): Promise<void> {
    await this.each(this.iopub, ([frame]) => {
      if (frame?.[0] === 1) subscribed(frame.subarray(1));
    });
  }

  send(channel: "shell" | "control" | "stdin" | "iopub", message: Message<unknown>): Promise<void> {
    const socket = channel === "iopub" ? this.iopub : this.routers[channel];
    return this.transmit(socket, encode(message, this.info.key));
  }

  /** Resolves when everything has been handed to the network. */
  async close(): Promise<void> {
    await Promise.allSettled(this.queues.values());
    this.closed = true;
    for (const socket of [...Object.values(this.routers), this.iopub]) socket.close();
  }

  private transmit(socket: Router | XPublisher, frames: Buffer[]): Promise<void> {
    // zeromq.js refuses a second send while one is waiting. A peer that has gone is no reason to stop.
    const previous = this.queues.get(socket) ?? Promise.resolve();
    const sent = previous.then(() => socket.send(frames)).catch(() => {});
    this.queues.set(socket, sent);
    return sent;
  }

  private async each(socket: Router | XPublisher, received: (frames: Buffer[]) => void): Promise<void> {
    for (;;) {
      let frames: Buffer[];
      try {
        frames = await socket.receive();
      } catch (error) {
        if (this.closed || socket.closed) return;
        process.stderr.write(`kaisetsu kernel: ${(error as Error).message}\n`);
        continue;
      }
      received(frames);
    }
  }
}

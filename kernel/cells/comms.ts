import { randomUUID } from "node:crypto";
import { currentCell } from "./context.js";
import { post } from "./port.js";

export interface CommMessage {
  data: unknown;
  metadata: Record<string, unknown>;
  buffers: Uint8Array[];
}

type Listener = (message: CommMessage) => void;
type Opened = (comm: Comm, message: CommMessage) => void;
interface Extra {
  metadata?: Record<string, unknown>;
  buffers?: Uint8Array[];
}

/** One conversation between a widget in the front end and code in the kernel. */
export class Comm {
  readonly comm_id: string;
  readonly target_name: string;
  private readonly registry: Comms;
  readonly listeners = { message: [] as Listener[], close: [] as Listener[] };

  constructor(registry: Comms, target_name: string, comm_id: string) {
    this.registry = registry;
    this.target_name = target_name;
    this.comm_id = comm_id;
  }

  onMessage(listener: Listener): void {
    this.listeners.message.push(listener);
  }

  onClose(listener: Listener): void {
    this.listeners.close.push(listener);
  }

  send(data: unknown = {}, extra: Extra = {}): void {
    emit("comm_msg", { comm_id: this.comm_id, data }, extra);
  }

  close(data: unknown = {}, extra: Extra = {}): void {
    if (!this.registry.forget(this)) return;
    emit("comm_close", { comm_id: this.comm_id, data }, extra);
  }
}

export class Comms {
  private readonly targets = new Map<string, Opened>();
  private readonly opened = new Map<string, Comm>();

  registerTarget(name: string, opened: Opened): void {
    this.targets.set(name, opened);
  }

  unregisterTarget(name: string): void {
    this.targets.delete(name);
  }

  /** Opens a comm to a widget manager in the front end. */
  open(target: string, options: Extra & { data?: unknown; comm_id?: string } = {}): Comm {
    const comm = new Comm(this, target, options.comm_id ?? randomUUID().replaceAll("-", ""));
    this.remember(comm);
    emit("comm_open", { comm_id: comm.comm_id, target_name: target, data: options.data ?? {} }, options);
    return comm;
  }

  /** Handles what the front end sent. */
  receive(msgType: string, content: Record<string, unknown>, message: CommMessage): void {
    const id = String(content.comm_id);
    const comm = this.opened.get(id);
    if (msgType === "comm_open") this.accept(id, String(content.target_name), message);
    // A message for a comm that is closed already: nobody waits for an answer.
    if (!comm) return;
    if (msgType === "comm_msg") for (const listener of comm.listeners.message) listener(message);
    if (msgType === "comm_close") {
      this.forget(comm);
      for (const listener of comm.listeners.close) listener(message);
    }
  }

  private accept(id: string, target: string, message: CommMessage): void {
    const begin = this.targets.get(target);
    if (!begin) {
      emit("comm_close", { comm_id: id, data: {} }, {});
      return;
    }
    const comm = new Comm(this, target, id);
    this.remember(comm);
    try {
      begin(comm, message);
    } catch (error) {
      comm.close();
      throw error;
    }
  }

  private remember(comm: Comm): void {
    this.opened.set(comm.comm_id, comm);
    this.announce();
  }

  forget(comm: Comm): boolean {
    const known = this.opened.delete(comm.comm_id);
    this.announce();
    return known;
  }

  /** The protocol thread answers `comm_info_request` also while a cell computes. */
  private announce(): void {
    const comms = Object.fromEntries([...this.opened].map(([id, { target_name }]) => [id, { target_name }]));
    post({ kind: "comms", comms });
  }
}

function emit(msgType: string, content: Record<string, unknown>, { metadata, buffers }: Extra): void {
  post({ kind: "iopub", id: currentCell().id, msgType, content, metadata, buffers });
}

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { threadNumber } from "../thread-number.js";
import { type DeviceMessage, type DeviceReply, type DeviceStart, INLINE_BYTES } from "./device.js";
import { type BufferPart, DeviceCore } from "./device-core.js";
import { unlessEnding, Word } from "./ending.js";
import { loadRuntime } from "./runtime.js";
import { WeightFiles } from "./weight-files.js";

/** The thread that computes. Its messages arrive in the order in which device.ts sent them. */
const { words, syncPort, weightFolder } = workerData as DeviceStart;
const port = parentPort!;

serve();

function serve(): void {
  Atomics.store(words, Word.thread, threadNumber());
  const core = start();
  port.on("message", (message: DeviceMessage) => {
    if (message.kind === "end") process.exit();
    unlessEnding(words, () => (core instanceof DeviceCore ? handle(core, message) : refuse(core, message)));
  });
}

function start(): DeviceCore | Error {
  try {
    return new DeviceCore(loadRuntime(), new WeightFiles(weightFolder));
  } catch (error) {
    return error as Error;
  }
}

/** Without ONNX Runtime: whoever waits for an answer gets the reason. */
function refuse(error: Error, message: DeviceMessage): void {
  if ("reply" in message && message.reply) answer(port, { id: message.reply, error: messageOf(error) });
}

function handle(core: DeviceCore, message: Exclude<DeviceMessage, { kind: "end" }>): void {
  switch (message.kind) {
    case "upload":
      core.upload(message.id, message.data);
      break;
    case "free":
      core.free(message.ids);
      break;
    case "load":
      core.load(message.id, message.spec);
      break;
    case "unload":
      core.unload(message.id);
      break;
    case "run": {
      const error = core.run(message.session, message.feeds, message.outputs);
      if (message.reply) answer(port, error ? { id: message.reply, error: messageOf(error) } : finished(core, message));
      break;
    }
    case "read": {
      const reply = attemptRead(core, message.part);
      if (message.reply) answer(port, { ...reply, id: message.reply });
      else answerSync(reply);
      break;
    }
    case "usage":
      answer(port, { id: message.reply, usage: core.usage() });
  }
}

/** Small results, such as a loss, go back at once: the caller will want them. */
function finished(core: DeviceCore, { reply, outputs }: { reply?: number; outputs: number[] }): DeviceReply {
  const small = outputs.map((id) => {
    const data = core.readWhole(id);
    return data.byteLength <= INLINE_BYTES ? data.slice() : undefined;
  });
  return { id: reply, small };
}

function attemptRead(core: DeviceCore, part: BufferPart): DeviceReply {
  try {
    return { data: core.read(part).slice() };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** The main thread sleeps in `Atomics.wait` until the answer lies in the port. */
function answerSync(reply: DeviceReply): void {
  answer(syncPort, reply);
  Atomics.store(words, Word.answered, 1);
  Atomics.notify(words, Word.answered);
}

function answer(to: Pick<MessagePort, "postMessage">, reply: DeviceReply): void {
  to.postMessage(reply, reply.data ? [reply.data.buffer as ArrayBuffer] : []);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

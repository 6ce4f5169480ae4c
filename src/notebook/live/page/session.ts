/** The worker that runs cells, in its sandboxed frame: started when first needed, ended, started anew. */
import { unpackArchive } from "../archive.js";
import type { LiveBoot } from "../manifest.js";
import type { FromWorker, ToWorker } from "../messages.js";

interface Loaded {
  runtime: Uint8Array<ArrayBuffer>;
  worker: Uint8Array<ArrayBuffer>;
  files: Uint8Array<ArrayBuffer> | undefined;
}

export class Session {
  private loaded: Promise<Loaded> | undefined;
  private frame: Promise<Window> | undefined;
  private port: MessagePort | undefined;
  private starting: Promise<void> | undefined;
  private crash: (error: Error) => void = () => {};

  constructor(
    private readonly boot: LiveBoot,
    private readonly receive: (message: FromWorker) => void,
  ) {}

  /** Resolves when cells can run. */
  ready(): Promise<void> {
    this.starting ??= this.start().catch((error) => {
      this.starting = undefined;
      throw error;
    });
    return this.starting;
  }

  send(message: ToWorker): void {
    this.port?.postMessage(message);
  }

  /** Ends the worker whatever it does; its variables and files are gone. */
  async end(): Promise<void> {
    this.port?.close();
    this.port = undefined;
    this.starting = undefined;
    (await this.frame)?.postMessage("end", "*");
  }

  private async start(): Promise<void> {
    this.loaded ??= this.load();
    this.frame ??= this.openFrame();
    const [{ runtime, worker, files }, frame] = await Promise.all([this.loaded, this.frame]);
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    const ready = new Promise<void>((resolve, reject) => {
      this.crash = reject;
      port1.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        if (this.port !== port1) return;
        if (data.type === "ready") resolve();
        else if (data.type === "failed") reject(new Error(data.message));
        else this.receive(data);
      };
    });
    frame.postMessage({ worker: worker.buffer }, "*", [port2]);
    this.send({ type: "start", runtime: runtime.buffer, files: files?.buffer ?? null });
    await ready;
  }

  private async load(): Promise<Loaded> {
    const [runtime, files] = await Promise.all([
      this.boot.load("runtime"),
      this.boot.hasFiles ? this.boot.load("files") : undefined,
    ]);
    return { runtime, files, worker: unpackArchive(runtime).get("worker.js")! };
  }

  private openFrame(): Promise<Window> {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    frame.hidden = true;
    frame.title = "kaisetsu";
    frame.srcdoc = this.boot.manifest.frame;
    return new Promise((resolve) => {
      addEventListener("message", ({ source, data }) => {
        if (source !== frame.contentWindow) return;
        if (data === "loaded") resolve(frame.contentWindow!);
        else if (data?.failed !== undefined) this.crash(new Error(String(data.failed)));
      });
      document.body.append(frame);
    });
  }
}

import { constants, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

type Output = (id: number, name: "stdout" | "stderr", text: string) => void;

/** Reads what children of the cells print; see cells/children.ts. */
export class ChildOutput {
  private readonly output: Output;
  private readonly pipes: { name: "stdout" | "stderr"; fd: number; decoder: StringDecoder }[] = [];
  private readonly buffer = Buffer.alloc(1 << 16);
  /** The cell that last started a child. */
  private id = 0;

  constructor(output: Output) {
    this.output = output;
  }

  started(id: number, paths: { stdout: string; stderr: string }): void {
    this.id = id;
    if (this.pipes.length > 0) return;
    for (const name of ["stdout", "stderr"] as const) {
      const fd = openSync(paths[name], constants.O_RDONLY | constants.O_NONBLOCK);
      this.pipes.push({ name, fd, decoder: new StringDecoder("utf8") });
    }
    this.poll();
  }

  /** Reads all that is there; to be called before anything that came later is handled. */
  drain(): boolean {
    let found = false;
    for (const { name, fd, decoder } of this.pipes) {
      for (let length = this.read(fd); length > 0; length = this.read(fd)) {
        found = true;
        const text = decoder.write(this.buffer.subarray(0, length));
        if (text !== "") this.output(this.id, name, text);
      }
    }
    return found;
  }

  private poll(): void {
    const again = this.drain() ? 2 : 30;
    setTimeout(() => this.poll(), again).unref();
  }

  private read(fd: number): number {
    try {
      return readSync(fd, this.buffer);
    } catch {
      // EAGAIN: nothing there now
      return 0;
    }
  }
}

/** Sends SIGINT to all processes that descend from this one, as a terminal's Ctrl-C does. */
export function interruptChildren(parent = process.pid): void {
  for (const pid of childrenOf(parent)) {
    interruptChildren(pid);
    try {
      process.kill(pid, "SIGINT");
    } catch {
      // ended in the meantime
    }
  }
}

/** As Linux tells it; none elsewhere. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

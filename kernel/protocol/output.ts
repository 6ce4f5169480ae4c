/** Joins what a cell prints into few messages: a loop that prints 100,000 lines must not flood the client. */
export class OutputBatcher {
  private readonly send: (id: number, name: "stdout" | "stderr", text: string) => void;
  private pending: { id: number; name: "stdout" | "stderr"; chunks: string[]; length: number } | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(send: (id: number, name: "stdout" | "stderr", text: string) => void) {
    this.send = send;
  }

  add(id: number, name: "stdout" | "stderr", text: string): void {
    // The order of both streams, and of cells, is kept.
    if (this.pending && (this.pending.id !== id || this.pending.name !== name)) this.flush();
    this.pending ??= { id, name, chunks: [], length: 0 };
    this.pending.chunks.push(text);
    this.pending.length += text.length;
    if (this.pending.length > MAX_CHARACTERS) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), INTERVAL);
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const pending = this.pending;
    this.pending = undefined;
    if (pending) this.send(pending.id, pending.name, pending.chunks.join(""));
  }
}

/** Milliseconds: soon enough to look immediate. */
const INTERVAL = 25;
const MAX_CHARACTERS = 1 << 20;

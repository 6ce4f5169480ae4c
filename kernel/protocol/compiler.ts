import type { MessagePort } from "node:worker_threads";
import type { CompiledCell, TypeMode } from "../compiler/cell.js";
import type { Completion } from "../compiler/complete.js";
import type { Inspection } from "../compiler/inspect.js";
import type { Completeness } from "../compiler/is-complete.js";
import type { CompilerRequest } from "../compiler/thread.js";

/** The compiler thread, as the protocol thread sees it. */
export class Compiler {
  private readonly port: MessagePort;
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  private next = 0;

  constructor(port: MessagePort) {
    this.port = port;
    port.on("message", ({ id, result, error }: { id: number; result?: unknown; error?: string }) => {
      const entry = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) entry?.resolve(result);
      else entry?.reject(new Error(error));
    });
  }

  compile(cell: number, code: string, mode: TypeMode): Promise<CompiledCell> {
    return this.ask({ op: "compile", cell, code, mode });
  }

  commit(cell: number, live: string[]): Promise<void> {
    return this.ask({ op: "commit", cell, live });
  }

  complete(code: string, cursor: number): Promise<Completion> {
    return this.ask({ op: "complete", code, cursor });
  }

  inspect(code: string, cursor: number, detail: number): Promise<Inspection> {
    return this.ask({ op: "inspect", code, cursor, detail });
  }

  isComplete(code: string): Promise<Completeness> {
    return this.ask({ op: "isComplete", code });
  }

  private ask<T>(request: CompilerRequest): Promise<T> {
    const id = this.next++;
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.port.postMessage({ id, request });
    });
  }
}

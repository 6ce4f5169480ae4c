import type { KernelClient } from "./client.js";
import type { ConnectionInfo } from "./connection.js";

/** A kernel that answers, whoever started it. */
export interface RunningKernel {
  client: KernelClient;
  connection: ConnectionInfo;
  connectionFile: string;
  pid: number;
  /** Settles when the process has ended, however it did. */
  exited: Promise<KernelExit>;
  /** Asks the kernel to end, and kills it if it has not after `grace` ms (5000). */
  stop(grace?: number): Promise<KernelExit>;
  /** Lets go of a kernel that is kept. */
  leave(): void;
}

export interface KernelExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The end of what the kernel itself wrote to its terminal: V8 reports "heap out of memory" there. */
  stderr: string;
  outOfMemory: boolean;
}

/** What V8 and Node write when they give up. */
export function reportsOutOfMemory(stderr: string): boolean {
  return /heap out of memory|Allocation failed|ERR_WORKER_OUT_OF_MEMORY/.test(stderr);
}

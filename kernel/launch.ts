import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DeadKernelError, KernelClient } from "./client.js";
import { type ConnectionInfo, writeConnectionFile } from "./connection.js";
import { kernelArgv } from "./spec.js";

export interface LaunchOptions {
  /** The folder in which the cells run and from which their imports are resolved: the notebook's. */
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** How to start the kernel; `{connection_file}` is replaced. Our own kernel by default. */
  argv?: string[];
  /** Milliseconds until the first answer. */
  startupTimeout?: number;
}

export interface RunningKernel {
  client: KernelClient;
  connection: ConnectionInfo;
  process: ChildProcess;
  /** Settles when the process has ended, however it did. `killed` says why, where that is known. */
  exited: Promise<KernelExit>;
  /** Asks the kernel to end, and kills it if it has not after `grace` ms (5000). */
  stop(grace?: number): Promise<KernelExit>;
}

export interface KernelExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The end of what the kernel itself wrote to its terminal: V8 reports "heap out of memory" there. */
  stderr: string;
  outOfMemory: boolean;
}

/** Starts a kernel process and waits until it answers. Rejects with `DeadKernelError`, with its last words. */
export async function launchKernel(options: LaunchOptions = {}): Promise<RunningKernel> {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-kernel-"));
  const connectionFile = join(folder, "connection.json");
  const info = await writeConnectionFile(connectionFile, "kaisetsu");
  const [command, ...rest] = (options.argv ?? kernelArgv()).map((word) =>
    word.replace("{connection_file}", connectionFile),
  );
  const child = spawn(command!, rest, {
    cwd: options.cwd,
    // The kernel ends when it finds its parent gone.
    env: { ...(options.env ?? process.env), JPY_PARENT_PID: String(process.pid) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const client = new KernelClient(info);
  const exited = watch(child, client, folder);
  try {
    await client.ready(options.startupTimeout);
  } catch (error) {
    child.kill("SIGKILL");
    client.close();
    throw error;
  }
  return { client, connection: info, process: child, exited, stop: (grace) => stop(child, client, exited, grace) };
}

function watch(child: ChildProcess, client: KernelClient, folder: string): Promise<KernelExit> {
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-8192);
  });
  return new Promise((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null, problem?: Error) => {
      rmSync(folder, { recursive: true, force: true });
      const outOfMemory = /heap out of memory|Allocation failed|ERR_WORKER_OUT_OF_MEMORY/.test(stderr);
      const how = problem ? problem.message : signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
      const why = outOfMemory ? " (out of memory)" : "";
      client.declareDead(new DeadKernelError(`the kernel ${how}${why}${stderr ? `\n${stderr.trimEnd()}` : ""}`));
      resolve({ code, signal, stderr, outOfMemory });
    };
    child.once("close", (code, signal) => finish(code, signal));
    child.once("error", (error) => finish(null, null, error));
  });
}

async function stop(
  child: ChildProcess,
  client: KernelClient,
  exited: Promise<KernelExit>,
  grace = 5000,
): Promise<KernelExit> {
  const timer = setTimeout(() => child.kill("SIGKILL"), grace);
  client.shutdown().catch(() => {});
  const exit = await exited;
  clearTimeout(timer);
  client.close();
  return exit;
}

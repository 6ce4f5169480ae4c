import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DeadKernelError, KernelClient } from "./client.js";
import { readConnectionFile } from "./connection.js";
import { jupyterDataFolder } from "./install.js";
import { type KernelExit, type RunningKernel, reportsOutOfMemory } from "./running.js";

/** A kernel without a parent: it lives until it is asked to end, or nobody has spoken to it for an hour. */
export interface KeptKernel {
  connection_file: string;
  pid: number;
}

export const keptIdleSeconds = 3600;

/** Where `jupyter console --existing` looks too. The kernel's own words go to a file beside it. */
export function newKeptFile(): { connectionFile: string; log: string } {
  const folder = process.env.JUPYTER_RUNTIME_DIR || join(jupyterDataFolder(), "runtime");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const connectionFile = join(folder, `kernel-kaisetsu-${randomUUID()}.json`);
  return { connectionFile, log: logOf(connectionFile) };
}

/** Connects to a kernel that was kept; undefined when it is no more. */
export async function attachKernel({ connection_file, pid }: KeptKernel): Promise<RunningKernel | undefined> {
  if (!isAlive(pid)) return undefined;
  let client: KernelClient;
  let connection: ReturnType<typeof readConnectionFile>;
  try {
    connection = readConnectionFile(connection_file);
    client = new KernelClient(connection);
  } catch {
    return undefined;
  }
  try {
    await client.ready(5000);
  } catch {
    client.close();
    return undefined;
  }
  const exited = watchProcess(pid, connection_file, client);
  const stop = async (grace = 5000) => {
    client.shutdown().catch(() => {});
    const exit = await Promise.race([exited, sleep(grace, undefined, { ref: false })]);
    if (!exit) process.kill(pid, "SIGKILL");
    const ended = await exited;
    client.close();
    return ended;
  };
  return { client, connection, connectionFile: connection_file, pid, exited, stop, leave: () => client.close() };
}

async function watchProcess(pid: number, connectionFile: string, client: KernelClient): Promise<KernelExit> {
  while (isAlive(pid)) await sleep(200, undefined, { ref: false });
  const stderr = readIfThere(logOf(connectionFile));
  const outOfMemory = reportsOutOfMemory(stderr);
  for (const file of [connectionFile, logOf(connectionFile)]) rmSync(file, { force: true });
  client.declareDead(new DeadKernelError(`the kernel ended${outOfMemory ? " (out of memory)" : ""}\n${stderr}`));
  return { code: null, signal: null, stderr, outOfMemory };
}

function logOf(connectionFile: string): string {
  return connectionFile.replace(/json$/, "log");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(-8192);
  } catch {
    return "";
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DeadKernelError, KernelClient } from "./client.js";
import { writeConnectionFile } from "./connection.js";
import { keptIdleSeconds, newKeptFile } from "./kept.js";
import { type KernelExit, type RunningKernel, reportsOutOfMemory } from "./running.js";
import { kernelArgv } from "./spec.js";

export interface LaunchOptions {
  /** The folder in which the cells run and from which their imports are resolved: the notebook's. */
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** How to start the kernel; `{connection_file}` is replaced. Our own kernel by default. */
  argv?: string[];
  /** Milliseconds until the first answer. */
  startupTimeout?: number;
  /** The kernel may outlive this process (see `leave`), for `attachKernel`. */
  keep?: boolean;
}

export interface LaunchedKernel extends RunningKernel {
  process: ChildProcess;
}

/** Starts a kernel process and waits until it answers. Rejects with `DeadKernelError`, with its last words. */
export async function launchKernel(options: LaunchOptions = {}): Promise<LaunchedKernel> {
  const place = options.keep ? newKeptFile() : temporaryPlace();
  const { connectionFile, log } = place;
  const info = await writeConnectionFile(connectionFile, "kaisetsu");
  const [command, ...rest] = (options.argv ?? kernelArgv()).map((word) =>
    word.replace("{connection_file}", connectionFile),
  );
  const child = spawn(command!, rest, {
    cwd: options.cwd,
    env: { ...(options.env ?? process.env), ...lifetime(options.keep) },
    // A pipe would break when this process ends.
    stdio: ["ignore", "ignore", options.keep ? openSync(log, "w", 0o600) : "pipe"],
    // Ctrl-C in a terminal is for this process, which passes it on: twice would cut off what may end in good order.
    detached: true,
  });
  const client = new KernelClient(info);
  const exited = watch(child, client, place);
  try {
    await client.ready(options.startupTimeout);
  } catch (error) {
    child.kill("SIGKILL");
    client.close();
    throw error;
  }
  return {
    client,
    connection: info,
    connectionFile,
    pid: child.pid!,
    process: child,
    exited,
    stop: (grace) => stop(child, client, exited, grace),
    leave() {
      child.unref();
      client.close();
    },
  };
}

interface Place {
  connectionFile: string;
  log: string;
  /** Removed with what it holds. */
  folder?: string;
}

function temporaryPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-kernel-"));
  return { folder, connectionFile: join(folder, "connection.json"), log: join(folder, "log") };
}

/** A kernel ends when it finds its parent gone, or, kept, when nobody speaks to it any more. */
function lifetime(keep = false): NodeJS.ProcessEnv {
  return keep
    ? { JPY_PARENT_PID: undefined, KAISETSU_IDLE_EXIT: String(keptIdleSeconds) }
    : { JPY_PARENT_PID: String(process.pid) };
}

function watch(child: ChildProcess, client: KernelClient, place: Place): Promise<KernelExit> {
  let piped = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    piped = (piped + text).slice(-8192);
  });
  return new Promise((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null, problem?: Error) => {
      const stderr = child.stderr ? piped : readFileSync(place.log, "utf8").slice(-8192);
      for (const path of [place.connectionFile, place.log]) rmSync(path, { force: true });
      if (place.folder !== undefined) rmSync(place.folder, { recursive: true, force: true });
      const outOfMemory = reportsOutOfMemory(stderr);
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

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TrainingArgumentsOptions } from "../../src/index.js";
import type { Report } from "./train.js";

const preload = new URL("./die-in-committer.js", import.meta.url).href;
const script = fileURLToPath(new URL("./train.js", import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  report: Report | undefined;
  stderr: string;
}

/** Starts a training process. `started` resolves when the first step is about to begin (or the process has ended). */
export function startTraining(
  args: TrainingArgumentsOptions,
  env: Record<string, string> = {},
): { child: ChildProcess; started: Promise<void>; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [script, JSON.stringify({ disable_tqdm: false, ...args })], {
    env: { ...process.env, ...env, NODE_OPTIONS: `--import ${preload}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (piece) => {
    stdout += piece;
  });
  const started = new Promise<void>((resolve) => {
    child.stderr.on("data", (piece) => {
      stderr += piece;
      if (stderr.includes("first step")) resolve();
    });
    child.on("close", () => resolve());
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const line = stdout.split("\n").find((text) => text.startsWith('{"action"'));
      resolve({ code, signal, report: line ? (JSON.parse(line) as Report) : undefined, stderr });
    });
  });
  return { child, started, ended };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

import { rm } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import type { CommitReply, CommitRequest } from "./committer-thread.js";
import { CheckpointError } from "./errors.js";
import type { Rotation } from "./rotation.js";
import { explained, type StagedCheckpoint } from "./store.js";

/**
 * A thread in which staged checkpoints become whole while training goes on: flushing waits for the disk, and hashing
 * takes a processor that a step in this thread would not give away.
 */
interface Committer {
  worker: Worker;
  waiting: Map<number, { staged: StagedCheckpoint; resolve(dir: string): void; reject(error: Error): void }>;
}

/** One for all runs of this thread. */
let committer: Committer | undefined;
let requests = 0;

/** Starts the thread, so that the first save need not wait for it (nor for the files that it is made of). */
export function prepareCommits(): void {
  committer ??= startCommitter();
}

/**
 * Commits a staged checkpoint, then deletes the old ones.
 * @returns the checkpoint's folder, once it is there
 * @throws CheckpointError; then older checkpoints are as they were
 */
export async function commitInBackground(staged: StagedCheckpoint, rotation: Rotation): Promise<string> {
  committer ??= startCommitter();
  const { worker, waiting } = committer;
  const id = requests++;
  // The process must not end before the checkpoint is there.
  worker.ref();
  try {
    return await new Promise((resolve, reject) => {
      waiting.set(id, { staged, resolve, reject });
      worker.postMessage({ id, staged, rotation } satisfies CommitRequest);
    });
  } finally {
    if (waiting.size === 0) worker.unref();
  }
}

/** Ends the thread at once, whatever it is doing: what it leaves is that of a killed run. Its waiting saves are rejected. */
export function abandonCommits(): void {
  void committer?.worker.terminate();
  committer = undefined;
}

function startCommitter(): Committer {
  const worker = new Worker(new URL("./committer-thread.js", import.meta.url), { execArgv: [] });
  const started: Committer = { worker, waiting: new Map() };
  worker.unref();
  worker.on("message", (reply: CommitReply) => answer(started, reply));
  worker.on("error", (error) => stopped(started, error as Error));
  worker.on("exit", () => stopped(started, new Error("the thread that saves checkpoints has ended")));
  return started;
}

function answer({ waiting }: Committer, { id, dir, error, said }: CommitReply): void {
  for (const line of said) console.error(`kaisetsu: ${line}`);
  const request = waiting.get(id);
  waiting.delete(id);
  if (dir !== undefined) request?.resolve(dir);
  else request?.reject(new CheckpointError(error!.message, { cause: error!.cause }));
}

function stopped(which: Committer, error: Error): void {
  if (committer === which) committer = undefined;
  const { waiting } = which;
  // An error that comes from another thread has lost its code.
  const code = /^E[A-Z]+(?=:)/.exec(error.message)?.[0];
  for (const { staged, reject } of waiting.values()) {
    rm(staged.staging, { recursive: true, force: true })
      .catch(() => {})
      .then(() => explained(Object.assign(error, { code }), staged))
      .then(reject);
  }
  waiting.clear();
}

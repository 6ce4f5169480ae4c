import { Worker } from "node:worker_threads";
import type { CommitReply, CommitRequest } from "./committer-thread.js";
import { CheckpointError } from "./errors.js";
import type { Rotation } from "./rotation.js";
import type { StagedCheckpoint } from "./store.js";

/**
 * A thread in which staged checkpoints become whole while training goes on: flushing waits for the disk, and hashing
 * takes a processor that a step in this thread would not give away.
 */
interface Committer {
  worker: Worker;
  waiting: Map<number, { resolve(dir: string): void; reject(error: Error): void }>;
}

/** One for all runs of this thread, from the first save on. */
let committer: Committer | undefined;
let requests = 0;

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
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, staged, rotation } satisfies CommitRequest);
    });
  } finally {
    if (waiting.size === 0) worker.unref();
  }
}

/** Ends the thread at once, whatever it is doing: what it leaves is that of a killed run. */
export function abandonCommits(): void {
  if (committer) stopped(committer, "it was abandoned");
  void committer?.worker.terminate();
  committer = undefined;
}

function startCommitter(): Committer {
  const worker = new Worker(new URL("./committer-thread.js", import.meta.url), { execArgv: [] });
  const started: Committer = { worker, waiting: new Map() };
  worker.on("message", (reply: CommitReply) => answer(started, reply));
  worker.on("error", (error) => stopped(started, (error as Error).message));
  worker.on("exit", () => stopped(started, "it ended"));
  return started;
}

function answer({ waiting }: Committer, { id, dir, error, said }: CommitReply): void {
  for (const line of said) console.error(`kaisetsu: ${line}`);
  const request = waiting.get(id);
  waiting.delete(id);
  if (dir !== undefined) request?.resolve(dir);
  else request?.reject(new CheckpointError(error!.message, { cause: error!.cause }));
}

function stopped(which: Committer, reason: string): void {
  if (committer === which) committer = undefined;
  const { waiting } = which;
  for (const { reject } of waiting.values()) {
    reject(
      new CheckpointError(`The thread that saves checkpoints has stopped (${reason}). Earlier ones are untouched.`),
    );
  }
  waiting.clear();
}

/** The other side of committer.ts. */
import { parentPort } from "node:worker_threads";
import { type Rotation, rotateCheckpoints } from "./rotation.js";
import { commitCheckpoint, type StagedCheckpoint } from "./store.js";

export interface CommitRequest {
  id: number;
  staged: StagedCheckpoint;
  rotation: Rotation;
}

export interface CommitReply {
  id: number;
  /** The checkpoint's folder; or else the error. */
  dir?: string;
  /** Classes and codes of errors do not cross threads by themselves. */
  error?: { message: string; cause: { message: string; code?: string } };
  /** Lines for whoever reads what the run says. */
  said: string[];
}

parentPort!.on("message", async ({ id, staged, rotation }: CommitRequest) => {
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  const reply: CommitReply = { id, said };
  try {
    reply.dir = await commitCheckpoint(staged, say);
    await rotateCheckpoints(staged.output_dir, { ...rotation, newest: reply.dir }, say);
  } catch (error) {
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    // A checkpoint that is in its place counts, even if looking for older ones has failed.
    if (reply.dir !== undefined)
      say(`old checkpoints in ${staged.output_dir} could not be looked through: ${message}.`);
    else reply.error = { message, cause: { message: cause?.message ?? message, code: cause?.code } };
  }
  parentPort!.postMessage(reply);
});

/** Stands for checkpoint/committer.ts in the page, which has no disk to wait for and no second thread. */
import type {
  abandonCommits as Abandon,
  commitInBackground as Commit,
  prepareCommits as Prepare,
} from "../../checkpoint/committer.js";
import { rotateCheckpoints } from "../../checkpoint/rotation.js";
import { commitCheckpoint } from "../../checkpoint/store.js";

export const commitInBackground: typeof Commit = async (staged, rotation) => {
  const say = (line: string) => console.error(`kaisetsu: ${line}`);
  const dir = await commitCheckpoint(staged, say);
  await rotateCheckpoints(staged.output_dir, { ...rotation, newest: dir }, say);
  return dir;
};

export const abandonCommits: typeof Abandon = () => {};

export const prepareCommits: typeof Prepare = () => {};

/** Preloaded into every thread of a training process: lets the thread that finishes checkpoints kill the process. */
import { isMainThread } from "node:worker_threads";
import { dieAtOperation } from "./die.js";

const at = process.env.KAISETSU_TEST_DIE_IN_COMMITTER;
// The engines' threads do not touch files.
if (!isMainThread && at) dieAtOperation(Number(at));

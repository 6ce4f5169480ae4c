/** Preloaded into `kaisetsu run` and its kernel: kills the kernel between the end of `train()` and `saveModel()`. */
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

const { rename } = promises;
promises.rename = async (from, to) => {
  await rename(from, to);
  if (basename(String(to)) === "trainer_state.json") process.kill(process.pid, "SIGKILL");
};
syncBuiltinESMExports();

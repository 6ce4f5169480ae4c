/** Saves once, opens files until no more can be opened, and saves again; store.test.ts runs it with a low limit. */
import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commitCheckpoint, stageCheckpoint } from "../../src/checkpoint/store.js";
import { TrainerState } from "../../src/training/state.js";

const outputDir = process.argv[2]!;
const save = async (global_step: number) => {
  const staged = await stageCheckpoint(outputDir, { run_id: "a", global_step }, async (dir) => {
    writeFileSync(join(dir, "trainer_state.json"), Object.assign(new TrainerState(), { global_step }).toJson());
  });
  await commitCheckpoint(staged, console.log);
};

await save(1);
try {
  for (;;) openSync("/dev/null", "r");
} catch {
  await save(2).catch((error) => console.log(String(error)));
}

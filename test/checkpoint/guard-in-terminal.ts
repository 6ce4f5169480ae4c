/** A process whose guard meets finished training; guard.test.ts runs it with and without a terminal. */
import { checkpointGuard, TrainingArguments } from "../../src/index.js";

const args = new TrainingArguments({ output_dir: process.env.KAISETSU_OUTPUT_DIR!, max_steps: 4 });
const { action } = await checkpointGuard({ args });
console.log(`decision: ${action}`);

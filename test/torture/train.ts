/**
 * A real training process, for tests that kill it: guards, trains or resumes, and prints one line of JSON about what it did.
 * Usage: node train.js '{"output_dir": …}' (TrainingArguments)
 */
import { createHash } from "node:crypto";
import {
  CheckpointError,
  checkpointGuard,
  NonFiniteError,
  OutputDirInUseError,
  type Trainer,
  TrainingInterruptedError,
} from "../../src/index.js";
import { makeTrainer } from "../training/tiny.js";
import { dieAtOperation } from "./die.js";

/** What the process reports when it has trained to the end. */
export interface Report {
  action: string;
  resumed_from: string | null;
  global_step: number;
  training_loss: number;
  /** Hash of every parameter, bit by bit. */
  parameters: string;
  /** Hash of the log history without times (and in the order of the file, which sorts keys). */
  history: string;
}

export const exitCodes = { interrupted: 3, checkpoint: 4, inUse: 5, nonFinite: 6, stopped: 7 };

async function main(): Promise<number> {
  const trainer = await makeTrainer({ args: JSON.parse(process.argv[2]!), dropout: 0.1 });
  if (process.env.KAISETSU_TEST_DIE_AT) dieAtOperation(Number(process.env.KAISETSU_TEST_DIE_AT));
  const guard = await checkpointGuard({ args: trainer.args, on_conflict: "stop" });
  console.error(guard.reason);
  if (guard.found === "damaged") return exitCodes.stopped;
  trainer.addCallback({
    on_train_begin: () => console.error("first step"),
    // A pause lets a signal meet any moment of a step, and keeps fast machines from finishing before the first kill.
    on_step_end: (_, state) => {
      console.error(`done ${state.global_step}`);
      return new Promise((resolve) => setTimeout(resolve, Number(process.env.KAISETSU_TEST_PAUSE ?? 0)));
    },
  });
  // A process that was killed after its last word has nothing left to train, and gives its report now.
  const resume = guard.checkpoint ?? guard.found === "finished";
  const { global_step, training_loss } = await trainer.train({ resume_from_checkpoint: resume });
  const report: Report = {
    action: guard.action,
    resumed_from: guard.checkpoint ?? (resume ? `step ${global_step}` : null),
    global_step,
    training_loss,
    parameters: await hashOfParameters(trainer),
    history: hashOfHistory(trainer),
  };
  console.log(JSON.stringify(report));
  return 0;
}

async function hashOfParameters(trainer: Trainer): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, tensor] of Object.entries(trainer.model.trainableParameters())) {
    hash.update(name).update(new Uint8Array((await tensor.data()).buffer));
  }
  return hash.digest("hex");
}

function hashOfHistory(trainer: Trainer): string {
  const timeless = trainer.state.log_history.map((entry) =>
    Object.entries(entry)
      .filter(([key]) => !/runtime|per_second/.test(key))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return createHash("sha256").update(JSON.stringify(timeless)).digest("hex");
}

function codeOf(error: unknown): number {
  if (error instanceof TrainingInterruptedError) return exitCodes.interrupted;
  if (error instanceof OutputDirInUseError) return exitCodes.inUse;
  if (error instanceof CheckpointError) return exitCodes.checkpoint;
  if (error instanceof NonFiniteError) return exitCodes.nonFinite;
  return 1;
}

if (process.argv[1]?.endsWith("train.js")) {
  main().then(
    (code) => process.exit(code),
    (error: Error) => {
      console.error(`${error.name}: ${error.message}`);
      process.exit(codeOf(error));
    },
  );
}

/**
 * A real training process, for tests that kill it: guards, trains or resumes, and prints one line of JSON about what it did.
 * Usage: node train.js '{"output_dir": …}' (TrainingArguments)
 */
import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import {
  CheckpointError,
  checkpointGuard,
  EarlyStoppingCallback,
  NonFiniteError,
  OutputDirInUseError,
  type Trainer,
  type TrainerCallback,
  TrainingInterruptedError,
} from "../../src/index.js";
import type { CallbackEvent } from "../../src/training/callbacks.js";
import { TrainStep } from "../../src/training/step.js";
import { makeTrainer } from "../training/tiny.js";
import { dieAtOperation } from "./die.js";

/** What the process reports when it has trained to the end. */
export interface Report {
  action: string;
  resumed_from: string | null;
  global_step: number;
  training_loss: number;
  best_metric: number | null;
  /** What a callback of the run has counted. */
  counted: number;
  /** Hash of every parameter, bit by bit. */
  parameters: string;
  /** Hash of the log history without times (and in the order of the file, which sorts keys). */
  history: string;
}

export const exitCodes = { interrupted: 3, checkpoint: 4, inUse: 5, nonFinite: 6, stopped: 7 };

async function main(): Promise<number> {
  const trainer = await makeTrainer({ args: JSON.parse(process.argv[2]!), dropout: 0.1 });
  const counter = new StepCounter();
  trainer.addCallback(counter);
  if (process.env.KAISETSU_TEST_PATIENCE) {
    const early_stopping_patience = Number(process.env.KAISETSU_TEST_PATIENCE);
    trainer.addCallback(new EarlyStoppingCallback({ early_stopping_patience }));
  }
  if (process.env.KAISETSU_TEST_NAN_AT) spoilLoss(trainer, Number(process.env.KAISETSU_TEST_NAN_AT));
  if (process.env.KAISETSU_TEST_AT) disturbAt(process.env.KAISETSU_TEST_AT, trainer);
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
    best_metric: trainer.state.best_metric,
    counted: counter.steps,
    parameters: await hashOfParameters(trainer),
    history: hashOfHistory(trainer),
  };
  console.log(JSON.stringify(report));
  return 0;
}

/** A callback with a memory of its own, which a checkpoint must keep. */
class StepCounter implements TrainerCallback {
  readonly name = "StepCounter";
  steps = 0;
  on_step_end(): void {
    this.steps += 1;
  }
  state(): Record<string, unknown> {
    return { steps: this.steps };
  }
  loadState(state: Record<string, unknown>): void {
    this.steps = state.steps as number;
  }
}

/** `on_prediction_step:5:kill`: at the fifth call of that event, `kill` this process or `interrupt` training. */
function disturbAt(what: string, trainer: Trainer): void {
  const [event, count, how] = what.split(":") as [CallbackEvent, string, "kill" | "interrupt"];
  let calls = 0;
  trainer.addCallback({
    [event]: () => {
      calls += 1;
      if (calls !== Number(count)) return;
      if (how === "kill") process.kill(process.pid, "SIGKILL");
      else trainer.interrupt();
    },
  });
}

/** Makes the loss of one step NaN: always where such steps are skipped, else the first time (a file remembers it). */
function spoilLoss(trainer: Trainer, step: number): void {
  const once = process.env.KAISETSU_TEST_NAN_ONCE!;
  let spoiled = false;
  trainer.addCallback({
    on_step_begin: (args, state) => {
      spoiled = state.global_step === step - 1 && (args.nan_policy === "skip" || !existsSync(once));
      if (spoiled) writeFileSync(once, "");
    },
  });
  // An engine may replay what the model's loss did before: so by a number that is an input of the step.
  const { begin } = TrainStep.prototype;
  TrainStep.prototype.begin = function (batch, scale, draw) {
    return begin.call(this, batch, spoiled ? Number.NaN : scale, draw);
  };
}

async function hashOfParameters(trainer: Trainer): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, tensor] of Object.entries(trainer.model.trainableParameters())) {
    // Some engines answer with a view of a larger buffer.
    const { buffer, byteOffset, byteLength } = await tensor.data();
    hash.update(name).update(new Uint8Array(buffer, byteOffset, byteLength));
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

import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { markSaved } from "../checkpoint/finished.js";
import { lockOutputDir } from "../checkpoint/lock.js";
import { writeInto } from "../checkpoint/write-into.js";
import { DataCollatorForLanguageModeling } from "../data/collators/collator.js";
import type { PreTrainedTokenizer } from "../data/tokenizer/tokenizer.js";
import { ensureEngine } from "../engine/index.js";
import type { CausalLM } from "../model/types.js";
import { TrainingArguments } from "./arguments/arguments.js";
import type { Collator, RowSource } from "./batches.js";
import {
  type CallbackContext,
  type CallbackEvent,
  CallbackHandler,
  DefaultFlowCallback,
  type TrainerCallback,
} from "./callbacks.js";
import { evaluationMetrics } from "./report/figures.js";
import { progressCallback } from "./report/progress.js";
import { type ComputeMetrics, Evaluator } from "./run/evaluation.js";
import { TrainingRun } from "./run/run.js";
import { writeModelFiles } from "./run/snapshot.js";
import { type LogEntry, TrainerControl, TrainerState } from "./state.js";
import { warnOnce } from "./warn.js";

export interface TrainerOptions {
  model: CausalLM;
  args?: TrainingArguments;
  /** Tokenised rows: `{ input_ids, attention_mask?, labels? }`. */
  train_dataset?: RowSource | null;
  eval_dataset?: RowSource | null;
  /** Default: `DataCollatorForLanguageModeling` with the tokenizer and `mlm: false`. */
  data_collator?: Collator;
  compute_metrics?: ComputeMetrics;
  callbacks?: TrainerCallback[];
  /** The tokenizer; it is saved beside the model. */
  processing_class?: PreTrainedTokenizer;
  /** The older name of `processing_class`. */
  tokenizer?: PreTrainedTokenizer;
}

export interface TrainOptions {
  /**
   * true: the newest whole checkpoint in `output_dir`; a path: that one. Default: start afresh.
   */
  resume_from_checkpoint?: string | boolean | null;
  /** Go on although arguments have changed that make it another run than the one that was saved. */
  allow_changed_arguments?: boolean;
}

export interface TrainOutput {
  global_step: number;
  /** Mean step loss of the whole run. */
  training_loss: number;
  metrics: LogEntry;
  /** False when `max_train_seconds` ended it before its last step. */
  finished: boolean;
}

/**
 * Trains a causal language model: `transformers.Trainer` 5.18 on one device, with its loop order, counts, logs, callbacks
 * and checkpoints. It differs where the original loses work: checkpoints are whole or absent, a resume is exact, and a
 * loss that is not a number ends the run instead of ruining the weights.
 *
 * @throws TypeError | Error from the constructor when something that the arguments ask for is missing
 */
export class Trainer {
  readonly model: CausalLM;
  readonly args: TrainingArguments;
  readonly train_dataset: RowSource | null;
  readonly eval_dataset: RowSource | null;
  readonly processing_class: PreTrainedTokenizer | undefined;
  readonly compute_metrics: ComputeMetrics | undefined;
  state = new TrainerState();
  control = new TrainerControl();

  private readonly handler: CallbackHandler;
  private readonly collatorGiven: Collator | undefined;
  private run: TrainingRun | undefined;

  constructor(options: TrainerOptions) {
    if (!options.model) throw new TypeError("Trainer needs a model.");
    this.model = options.model;
    this.args = options.args ?? new TrainingArguments();
    this.train_dataset = options.train_dataset ?? null;
    this.eval_dataset = options.eval_dataset ?? null;
    this.processing_class = options.processing_class ?? options.tokenizer;
    this.compute_metrics = options.compute_metrics;
    this.collatorGiven = options.data_collator;
    this.handler = new CallbackHandler([
      new DefaultFlowCallback(),
      ...(options.callbacks ?? []),
      progressCallback(this.args),
    ]);
    this.checkOptions();
    void this.emit("on_init_end");
  }

  addCallback(callback: TrainerCallback): void {
    // The progress display stays last, as in transformers.
    this.handler.callbacks.splice(-1, 0, callback);
  }

  /**
   * Trains until `max_steps` or the last epoch, or until a callback stops it.
   * @throws ResumeError, NonFiniteError, TrainingInterruptedError, CheckpointError, OutputDirInUseError
   */
  async train(options: TrainOptions = {}): Promise<TrainOutput> {
    if (this.run) throw new Error("This trainer is training already.");
    if (!this.train_dataset) throw new TypeError("Trainer.train() needs a train_dataset.");
    const unlock = lockOutputDir(this.args.output_dir);
    try {
      this.run = await TrainingRun.prepare(this, await ensureEngine(), options);
      return await this.run.train(() => this.abandon(unlock));
    } finally {
      this.run?.dispose();
      this.run = undefined;
      unlock();
    }
  }

  /** Ends training after the current micro-batch: what is done is saved, and `train()` rejects with TrainingInterruptedError. */
  interrupt(reason = "interrupt"): void {
    this.run?.interrupt(reason);
  }

  /**
   * Evaluates on `eval_dataset` (or another one): `eval_loss`, the metrics of `compute_metrics`, and speeds. The figures
   * are logged, and callbacks get them.
   */
  async evaluate(options: { eval_dataset?: RowSource; metric_key_prefix?: string } = {}): Promise<LogEntry> {
    const rows = options.eval_dataset ?? this.eval_dataset;
    if (!rows || rows.length === 0) throw new TypeError("Trainer.evaluate() needs an eval_dataset with rows.");
    const evaluator = this.run?.evaluator ?? (await this.newEvaluator());
    try {
      this.run?.syncModel();
      const metrics = await evaluationMetrics(
        this,
        evaluator,
        rows,
        options.metric_key_prefix ?? "eval",
        async (done, total) => {
          await this.emit("on_prediction_step", { prediction: { done, total } });
          await this.run?.endIfAsked();
        },
      );
      await this.log(metrics);
      this.control.should_evaluate = false;
      await this.emit("on_evaluate", { metrics });
      return metrics;
    } finally {
      if (evaluator !== this.run?.evaluator) evaluator.dispose();
    }
  }

  /** Writes the model (or adapter), its tokenizer and `training_args.json`. Default: into `output_dir`. */
  async saveModel(dir: string = this.args.output_dir): Promise<void> {
    this.run?.syncModel();
    await writeInto(dir, (staging) => writeModelFiles(staging, this));
    await markSaved(this.args.output_dir);
  }

  /** Writes `trainer_state.json` into `output_dir`: there, it says that training has ended. */
  async saveState(): Promise<void> {
    const path = join(this.args.output_dir, "trainer_state.json");
    await writeFile(`${path}.tmp`, this.state.toJson(), { flush: true });
    await rename(`${path}.tmp`, path);
  }

  /** Adds an entry to `state.log_history` and tells the callbacks. */
  async log(logs: LogEntry): Promise<void> {
    const entry: LogEntry = { ...logs, epoch: this.state.epoch };
    if (this.args.include_num_input_tokens_seen !== "no")
      entry.num_input_tokens_seen = this.state.num_input_tokens_seen;
    this.state.log_history.push({ ...entry, step: this.state.global_step });
    this.control.should_log = false;
    await this.emit("on_log", { logs: entry });
  }

  /** @internal */
  get callbacks(): readonly TrainerCallback[] {
    return this.handler.callbacks;
  }

  /** @internal */
  get collator(): Collator {
    if (this.collatorGiven) return this.collatorGiven;
    if (!this.processing_class)
      throw new TypeError("Trainer needs a data_collator or a processing_class (the tokenizer).");
    return new DataCollatorForLanguageModeling({ tokenizer: this.processing_class, mlm: false });
  }

  /** @internal */
  emit(event: CallbackEvent, extra: Partial<CallbackContext> = {}): Promise<void> {
    return this.handler.call(event, this, { model: this.model, processing_class: this.processing_class, ...extra });
  }

  private async newEvaluator(): Promise<Evaluator> {
    return new Evaluator(this.model, await ensureEngine(), this.args.label_smoothing_factor);
  }

  /** After a kernel has cut training off in the middle of a computation: another `train()` must be possible. */
  private abandon(unlock: () => void): void {
    this.run?.abandon();
    this.run = undefined;
    unlock();
  }

  private checkOptions(): void {
    const { args } = this;
    if (args.fp16 || args.bf16) {
      const name = args.fp16 ? "fp16" : "bf16";
      warnOnce(
        `${name} is kept in the saved settings, but the computation is float32: same results or better, more memory.`,
      );
    }
    if (this.collatorGiven && typeof this.collatorGiven.collate !== "function") {
      throw new TypeError("data_collator must have a method collate(rows).");
    }
    if (args.eval_strategy !== "no" && !this.eval_dataset) {
      throw new TypeError(
        `eval_strategy is ${args.eval_strategy}, so Trainer needs an eval_dataset (or eval_strategy "no").`,
      );
    }
    const needsMetric = args.save_strategy === "best" || args.load_best_model_at_end;
    if (needsMetric && args.metric_for_best_model === null) {
      throw new TypeError(
        'metric_for_best_model must be given when save_strategy is "best" or load_best_model_at_end is set.',
      );
    }
    if (Object.keys(this.model.trainableParameters()).length === 0) {
      throw new TypeError(
        "The model has no trainable parameters. A frozen or quantised model trains with an adapter: see getPeftModel.",
      );
    }
  }
}

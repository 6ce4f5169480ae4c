import { PythonFloat, parsePythonJson, toPythonJson } from "../checkpoint/python-json.js";

/** One entry of `log_history`: metrics, with `epoch` and `step`. */
export type LogEntry = Record<string, number>;

/** What is known of a run so far: `transformers.TrainerState`. */
export class TrainerState {
  /** Epochs done, with the fraction of the current one. */
  epoch = 0;
  /** Optimizer steps done. */
  global_step = 0;
  /** Optimizer steps in all. */
  max_steps = 0;
  num_train_epochs = 0;
  logging_steps = 500;
  eval_steps: number | null = 500;
  save_steps = 500;
  train_batch_size: number | null = null;
  num_input_tokens_seen = 0;
  total_flos = 0;
  log_history: LogEntry[] = [];
  best_metric: number | null = null;
  best_global_step: number | null = null;
  /** Folder of the best checkpoint, once it is saved. */
  best_model_checkpoint: string | null = null;
  is_local_process_zero = true;
  is_world_process_zero = true;
  is_hyper_param_search = false;
  trial_name: string | null = null;
  trial_params: Record<string, unknown> | null = null;
  stateful_callbacks: Record<string, unknown> = {};

  /** How often the run had evaluated by the end of that step. */
  evaluationsUntil(step: number): number {
    return this.log_history.filter((entry) => "eval_runtime" in entry && entry.step! <= step).length;
  }

  /** `trainer_state.json` as Python's Trainer writes it. */
  toJson(): string {
    const floats = (entry: LogEntry) =>
      Object.fromEntries(
        Object.entries(entry).map(([key, value]) => [key, integers.has(key) ? value : new PythonFloat(value)]),
      );
    return toPythonJson({
      ...this,
      epoch: new PythonFloat(this.epoch),
      total_flos: new PythonFloat(this.total_flos),
      best_metric: this.best_metric === null ? null : new PythonFloat(this.best_metric),
      log_history: this.log_history.map(floats),
    });
  }

  /**
   * Reads `trainer_state.json`, also Python's with its bare `NaN`.
   * @throws SyntaxError when it is no JSON, or lacks what a state needs.
   */
  static fromJson(text: string): TrainerState {
    const read = parsePythonJson(text) as Partial<TrainerState> | null;
    if (typeof read !== "object" || read === null || Array.isArray(read)) throw new SyntaxError("not a JSON object");
    for (const key of ["global_step", "epoch"] as const) {
      if (typeof read[key] !== "number") throw new SyntaxError(`${key} is missing or not a number`);
      if (!(read[key] >= 0 && read[key] <= Number.MAX_SAFE_INTEGER)) throw new SyntaxError(`${key} is ${read[key]}`);
    }
    if (!Number.isInteger(read.global_step)) throw new SyntaxError(`global_step is ${read.global_step}`);
    if (!Array.isArray(read.log_history)) throw new SyntaxError("log_history is missing or not a list");
    if (read.log_history.some((entry) => typeof entry !== "object" || entry === null)) {
      throw new SyntaxError("log_history holds something that is no entry");
    }
    return Object.assign(new TrainerState(), read);
  }
}

const integers = new Set(["step", "num_input_tokens_seen"]);

/** Flags by which callbacks steer the loop: `transformers.TrainerControl`. */
export class TrainerControl {
  should_training_stop = false;
  should_epoch_stop = false;
  should_save = false;
  should_evaluate = false;
  should_log = false;

  /** In the form of `trainer_state.json`. */
  toState(): Record<string, unknown> {
    return { args: { ...this }, attributes: {} };
  }
}

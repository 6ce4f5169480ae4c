import * as tf from "@tensorflow/tfjs";
import type { NamedTensors } from "../../model/types.js";
import { NonFiniteError } from "../errors.js";
import { TrainerControl } from "../state.js";
import { beginAt, beginAtZero } from "./beginning.js";
import type { RunContext } from "./context.js";
import { newestOwnCheckpoint } from "./resume.js";
import { loadModelParameters } from "./snapshot.js";

/** What a roll back multiplies the learning rate with. */
const rateReduction = 0.5;

/** `nan_policy: "rollback"`: back to the newest whole checkpoint of the run, or to its beginning, with a lower learning rate. */
export class Rollback {
  /** The beginning, until there is a checkpoint to go back to. */
  private start: { parameters: NamedTensors; scheduler: Record<string, unknown> } | undefined;

  constructor(private readonly run: RunContext) {}

  rememberStart(): void {
    const { trainer, scheduler } = this.run;
    const parameters = Object.entries(trainer.model.trainableParameters());
    this.start = {
      parameters: Object.fromEntries(parameters.map(([name, tensor]) => [name, tf.clone(tensor)])),
      scheduler: scheduler.stateDict(),
    };
  }

  forgetStart(): void {
    tf.dispose(this.start?.parameters ?? {});
    this.start = undefined;
  }

  /**
   * @param why what was not a number, where
   * @returns whether it went back to a checkpoint, whose last step may have something left to do
   * @throws NonFiniteError when there is nothing to go back to
   */
  async goBack(why: string): Promise<boolean> {
    const { run } = this;
    const { trainer, step } = run;
    const { args, model } = trainer;
    const rollbacks = run.books.rollbacks + 1;
    const rate_factor = run.books.rate_factor * rateReduction;
    const point = this.start ? undefined : await newestOwnCheckpoint(args.output_dir, run.run_id);
    if (point) {
      await loadModelParameters(point.dir, model);
      step.takeFromModel();
      trainer.control = new TrainerControl();
      await beginAt(point, run);
      trainer.state.max_steps = run.plan.max_steps;
    } else if (this.start) {
      this.backToStart(this.start);
    } else {
      throw new NonFiniteError(`${why} There is no whole checkpoint of this run in ${args.output_dir} to go back to.`);
    }
    Object.assign(run.books, { rollbacks, rate_factor });
    console.error(
      `kaisetsu: ${why} Going back to ${point?.dir ?? "the beginning"} with ${rate_factor} times the learning rate ` +
        `(nan_policy: "rollback").`,
    );
    return point !== undefined;
  }

  private backToStart({ parameters, scheduler }: NonNullable<Rollback["start"]>): void {
    const { trainer, step } = this.run;
    trainer.model.setTrainableParameters(parameters);
    step.takeFromModel();
    step.forgetMoments();
    this.run.scheduler.loadStateDict(scheduler);
    trainer.control = new TrainerControl();
    beginAtZero(this.run);
    this.rememberStart();
  }
}

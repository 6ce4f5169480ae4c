/** Where in the data a run goes on. */
export interface Position {
  epoch: number;
  /** First micro-batch of the next step in that epoch. */
  next_batch: number;
  /** Whether the end of that epoch (its log, evaluation and save) is over. */
  epoch_ended: boolean;
}

/** What a run remembers besides `TrainerState`. No file of Trainer keeps it; without it the first log after a resume would differ. */
export interface Books {
  position: Position;
  /** Sum of step losses since the last log. */
  pending_loss: number;
  last_logged_step: number;
  /** Sum of all step losses of the run. */
  total_loss: number;
  last_grad_norm: number;
  /** The rate that the last update used: what a log entry shows. */
  last_learning_rate: number;
  /** How often `nan_policy: "rollback"` went back, and what became of the learning rate. */
  rollbacks: number;
  rate_factor: number;
}

/** The books of a run that has done nothing yet. */
export function emptyBooks(): Books {
  return {
    position: { epoch: 0, next_batch: 0, epoch_ended: false },
    pending_loss: 0,
    last_logged_step: 0,
    total_loss: 0,
    last_grad_norm: 0,
    last_learning_rate: 0,
    rollbacks: 0,
    rate_factor: 1,
  };
}

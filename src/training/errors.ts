/** The loss or the gradient is not a finite number any more. Nothing was changed by that step. */
export class NonFiniteError extends Error {
  override name = "NonFiniteError";
}

/** Ctrl-C, SIGTERM or a kernel interrupt ended training early. What was done is saved; the message says where. */
export class TrainingInterruptedError extends Error {
  override name = "TrainingInterruptedError";

  constructor(
    message: string,
    /** `SIGINT`, `SIGTERM`, or what else asked for the end. */
    readonly signal: string,
    /** The checkpoint to go on from, if there is one. */
    readonly checkpoint: string | null,
  ) {
    super(message);
  }
}

/** A resume that would not continue the same run, or a checkpoint that cannot be resumed from. */
export class ResumeError extends Error {
  override name = "ResumeError";
}

/** A run that cannot be handed on to Python as asked. */
export class HandoffError extends Error {
  override name = "HandoffError";
}

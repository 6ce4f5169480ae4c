/** A schedule that cannot be computed: a missing, unknown or impossible argument. */
export class SchedulerError extends Error {
  override name = "SchedulerError";
}

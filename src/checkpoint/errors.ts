/** A checkpoint that cannot be written or read. The message says which, why, and what is still there. */
export class CheckpointError extends Error {
  override name = "CheckpointError";
}

/** Another process trains into the same folder. */
export class OutputDirInUseError extends CheckpointError {
  override name = "OutputDirInUseError";
}

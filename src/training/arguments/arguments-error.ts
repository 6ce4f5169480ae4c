/** A setting of `TrainingArguments` that is unknown, malformed, or contradicts another one. */
export class TrainingArgumentsError extends Error {
  override name = "TrainingArgumentsError";
}

export function fail(message: string): never {
  throw new TrainingArgumentsError(message);
}

/** A value as it stands in a message. */
export function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

/** Something about a model, its files or its settings is wrong. The message says what, where, and what to do. */
export class ModelError extends Error {
  override name = "ModelError";
}

/** A `.safetensors` file that does not follow the format. */
export class SafetensorsError extends ModelError {
  override name = "SafetensorsError";
  constructor(path: string, problem: string) {
    super(`${path}: not a valid safetensors file: ${problem}. Download or save the file again.`);
  }
}

/** A model folder in which a file, a parameter or a shape is missing or does not fit. */
export class PretrainedFilesError extends ModelError {
  override name = "PretrainedFilesError";
}

/** A setting of `config.json` that this library cannot compute faithfully. */
export class UnsupportedModelError extends ModelError {
  override name = "UnsupportedModelError";
}

/** Lists names in a message without flooding it. */
export function listed(names: string[], limit = 8): string {
  const shown = names.slice(0, limit).join(", ");
  return names.length > limit ? `${shown}, … (${names.length} in all)` : shown;
}

/** A dialogue file or a row in it that cannot be used. The message names the file and line (or the row) and what to do. */
export class DatasetError extends Error {
  override name = "DatasetError";
  constructor(
    message: string,
    /** Where: the file, and the 1-based line in it when one line is to blame. */
    readonly path?: string,
    readonly line?: number,
  ) {
    super(message);
  }
}

/** A tokenizer folder that cannot be loaded, or a question that this tokenizer cannot answer (no pad token, unknown id). */
export class TokenizerError extends Error {
  override name = "TokenizerError";
}

/** A chat template that is missing, does not parse, or refuses a conversation (Gemma: no system role, turns alternate). */
export class ChatTemplateError extends TokenizerError {
  override name = "ChatTemplateError";
}

/** Rows that cannot become one batch. */
export class CollatorError extends Error {
  override name = "CollatorError";
}

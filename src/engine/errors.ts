/** A wrong use of the engine: an unknown name, a disposed function, a step that returns something else than tensors. */
export class EngineError extends Error {
  override name = "EngineError";
}

/** This engine cannot run here; the message says why, in words that `kaisetsu doctor` shows as they are. */
export class EngineUnavailableError extends EngineError {
  override name = "EngineUnavailableError";
}

import { EngineError } from "../errors.js";

/** A step that `jit` cannot replay faithfully; the message names what it did. */
export class JitError extends EngineError {
  override name = "JitError";
}

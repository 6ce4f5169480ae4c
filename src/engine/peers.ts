import { createRequire } from "node:module";
import { join } from "node:path";
import { EngineUnavailableError } from "./errors.js";

/** Packages that an engine needs, and kaisetsu does not install: large, or downloading from outside npm. */

/**
 * Where the package lies: beside kaisetsu, or in the project that the program runs in.
 * @throws EngineUnavailableError when it is not installed
 */
export function resolvePeer(name: string): string {
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      return createRequire(from).resolve(name);
    } catch {
      // Not here; perhaps in the next place.
    }
  }
  throw new EngineUnavailableError(`the package ${name} is not installed (npm install ${name})`);
}

/** Loads it, and turns whatever goes wrong into an `EngineUnavailableError`. */
export async function loadPeer<T>(name: string, load: (path: string) => T | Promise<T>): Promise<T> {
  const path = resolvePeer(name);
  try {
    return await load(path);
  } catch (error) {
    const firstLine = (error as Error).message.split("\n")[0];
    throw new EngineUnavailableError(`${name} is installed but could not be loaded: ${firstLine}`);
  }
}

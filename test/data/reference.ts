import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The path of a figure in test/reference (this file runs from dist/test/data). */
export function referencePath(name: string): string {
  return fileURLToPath(new URL(`../../../test/reference/${name}`, import.meta.url));
}

export function referenceJson<T>(name: string): T {
  return JSON.parse(readFileSync(referencePath(name), "utf8")) as T;
}

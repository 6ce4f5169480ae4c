/** What the exporter tells the page about its cells: JSON in the page, and nothing else. */
import type { LiveWords } from "./words.js";

export interface LiveManifest {
  cells: LiveCell[];
  words: LiveWords;
  ui: "ja" | "en";
  /** Document of the sandboxed frame. */
  frame: string;
  /** Some of the files are weights in fewer bits. */
  hasPackedWeights: boolean;
}

export interface LiveCell {
  /** Id of the cell's element; absent for a cell that the page does not show. */
  element?: string;
  /** How the page calls it. */
  name: string;
  source: string;
}

/** Pieces of the page that are read when they are first needed. */
export type LivePart = "page" | "runtime" | "files";

/** What boot.ts hands to the rest, and gets from it, under this symbol of the page's global object. */
export const bootKey = "kaisetsu.live";

export interface LiveBoot {
  manifest: LiveManifest;
  hasFiles: boolean;
  load(part: LivePart): Promise<Uint8Array<ArrayBuffer>>;
  start?(boot: LiveBoot): LiveApp;
}

export interface LiveApp {
  run(cell: number): void;
  runAll(): void;
  edit(cell: number): void;
}

/** Keeps the notebook file, and its page if one is wanted, up to date while the notebook runs. */

import { writeFileAtomic } from "../../files.js";
import { writeNotebook } from "../document.js";
import type { Notebook } from "../nbformat.js";

export interface SaverOptions {
  notebook: Notebook;
  path: string;
  /** The HTML page, and how it is made. */
  page?: { path: string; render(): Promise<string> };
  /** Told once when the page cannot be made; the run goes on. */
  warn(message: string): void;
}

export interface Saver {
  /** Writes the notebook at once, and the page soon. */
  now(): void;
  /** Something changed: it is written within half a minute. */
  changed(): void;
  /** Ends it, with the notebook and a last page that no longer reloads itself. */
  finish(): Promise<void>;
  /** Ends it with the notebook only. */
  abandon(): void;
}

const autosaveMilliseconds = 30_000;
const pageMilliseconds = 3_000;
/** Seconds after which a browser that shows the page of a running notebook loads it again. */
const reloadSeconds = 5;

export function notebookSaver({ notebook, path, page, warn }: SaverOptions): Saver {
  let dirty = false;
  let nextSave = 0;
  let nextPage = 0;
  let pageDirty = false;
  let making: Promise<void> | undefined;

  const save = () => {
    const began = performance.now();
    writeNotebook(path, notebook);
    dirty = false;
    pageDirty = true;
    const cost = performance.now() - began;
    nextSave = performance.now() + Math.max(autosaveMilliseconds, cost * 4);
  };
  const makePage = async (running: boolean) => {
    pageDirty = false;
    const began = performance.now();
    const html = await page!.render();
    writeFileAtomic(page!.path, running ? reloading(html) : html);
    nextPage = performance.now() + Math.max(pageMilliseconds, (performance.now() - began) * 10);
  };
  const pageIfDue = () => {
    if (!page || making || !pageDirty || performance.now() < nextPage) return;
    making = makePage(true)
      .catch((error: Error) => {
        nextPage = Number.POSITIVE_INFINITY;
        warn(`the page cannot be made while the notebook runs: ${error.message}`);
      })
      .finally(() => {
        making = undefined;
      });
  };
  const timer = setInterval(() => {
    if (dirty && performance.now() >= nextSave) save();
    pageIfDue();
  }, 1000).unref();

  return {
    now() {
      save();
      pageIfDue();
    },
    changed() {
      dirty = true;
      pageDirty = true;
    },
    async finish() {
      clearInterval(timer);
      save();
      await making;
      if (page) await makePage(false);
    },
    abandon() {
      clearInterval(timer);
      save();
    },
  };
}

function reloading(html: string): string {
  return html.replace("<head>", `<head>\n<meta http-equiv="refresh" content="${reloadSeconds}">`);
}

import { existsSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { notebookHost } from "../notebook/host.js";

/** Whether somebody can answer a question: a person at a notebook or a terminal, and no batch run. */
export function canAsk(): boolean {
  if (isBatch()) return false;
  const host = notebookHost();
  if (host) return host.canAsk();
  return Boolean(process.stdin.isTTY && process.stdout.isTTY);
}

/** Asks a yes/no question; anything but a clear yes is no. Call it only when `canAsk()`. */
export async function askYesNo(question: string): Promise<boolean> {
  return /^\s*(y|yes|はい)\s*$/i.test(await answer(`${question} [y/N] `));
}

/** Kaggle runs a committed notebook with nobody there, and would wait for an answer until its time is over. */
function isBatch(): boolean {
  return Boolean(process.env.KAGGLE_KERNEL_RUN_TYPE) || existsSync("/kaggle/working") || Boolean(process.env.CI);
}

async function answer(prompt: string): Promise<string> {
  const host = notebookHost();
  if (host) return host.ask(prompt);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(prompt);
  } catch {
    // Ctrl-C or the end of the input: no answer.
    return "";
  } finally {
    terminal.close();
  }
}

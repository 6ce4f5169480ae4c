import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/**
 * The folder that a model name stands for: the folder itself, or the newest snapshot of a hub id ("owner/name") in the
 * Hugging Face cache (`HF_HUB_CACHE`, `HF_HOME`, else ~/.cache/huggingface). Undefined when neither exists.
 */
export function findPretrainedFolder(nameOrPath: string): string | undefined {
  if (isFolder(nameOrPath)) return resolve(nameOrPath);
  if (!/^[\w.-]+\/[\w.-]+$/.test(nameOrPath)) return undefined;
  const repository = join(hubCache(), `models--${nameOrPath.replace("/", "--")}`);
  try {
    const revision = readFileSync(join(repository, "refs", "main"), "utf8").trim();
    const snapshot = join(repository, "snapshots", revision);
    return isFolder(snapshot) ? snapshot : undefined;
  } catch {
    return undefined;
  }
}

function hubCache(): string {
  const { HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env;
  return HF_HUB_CACHE || join(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"), "hub");
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

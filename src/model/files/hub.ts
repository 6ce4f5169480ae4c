import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ListFileEntry } from "@huggingface/hub";
import { findPretrainedFolder } from "../../data/tokenizer/pretrained-folder.js";
import { PretrainedFilesError } from "../errors.js";
import { downloadBlob } from "./hub-download.js";

/** Where and how models of the Hugging Face hub are fetched; the names are transformers'. */
export interface HubOptions {
  /** A branch, tag or commit; default "main". */
  revision?: string;
  /** Default: `HF_TOKEN`, else the token that `huggingface-cli login` stored. */
  token?: string;
  /** Never use the network; also by `HF_HUB_OFFLINE=1`. */
  local_files_only?: boolean;
}

/**
 * The folder of a model: `nameOrPath` itself if it is a folder, else the hub's model of that id ("owner/name") in the
 * Hugging Face cache, which Python shares. Files that the cache lacks are downloaded; broken downloads go on where they
 * stopped; sizes and hashes are verified. Without a network, what the cache has is used.
 *
 * Reads `HF_HUB_CACHE`, `HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE` as huggingface_hub does.
 * @throws PretrainedFilesError when there is no such folder or model, or it may not be read
 */
export async function pretrainedFolder(nameOrPath: string, options: HubOptions = {}): Promise<string> {
  const { revision = "main" } = options;
  const isId = /^[\w.-]+\/[\w.-]+$/.test(nameOrPath) && !nameOrPath.startsWith(".");
  if (!isId || existsSync(nameOrPath)) {
    const folder = findPretrainedFolder(nameOrPath);
    if (folder) return folder;
    throw new PretrainedFilesError(`there is no model folder ${nameOrPath}`);
  }
  const cached = cachedSnapshot(nameOrPath, revision);
  if (options.local_files_only || isTrue(process.env.HF_HUB_OFFLINE) || isTrue(process.env.TRANSFORMERS_OFFLINE)) {
    if (cached) return cached;
    throw new PretrainedFilesError(
      `${nameOrPath} is not in the Hugging Face cache (${hubCache()}), and the network is switched off`,
    );
  }
  try {
    return await download(nameOrPath, revision, options.token ?? storedToken());
  } catch (error) {
    if (cached && isNetworkError(error)) {
      console.warn(`${nameOrPath}: the hub cannot be reached (${reason(error)}); using the cache`);
      return cached;
    }
    throw explained(nameOrPath, revision, error);
  }
}

async function download(id: string, revision: string, accessToken: string | undefined): Promise<string> {
  const { listFiles, modelInfo } = await import("@huggingface/hub");
  const hub = { hubUrl: hubUrl(), ...(accessToken && { accessToken }) };
  const { sha } = await modelInfo({ ...hub, name: id, revision, additionalFields: ["sha"] });
  const files: ListFileEntry[] = [];
  for await (const file of listFiles({ ...hub, repo: id, revision: sha })) files.push(file);
  const repository = repositoryFolder(id);
  const snapshot = join(repository, "snapshots", sha);
  await mkdir(join(repository, "blobs"), { recursive: true });
  await mkdir(snapshot, { recursive: true });
  for (const file of wanted(files)) {
    if (existsSync(join(snapshot, file.path))) continue;
    await downloadBlob({ ...hub, id, revision: sha, file, repository, snapshot });
  }
  // Last, so that nobody takes a half-downloaded snapshot for the newest one.
  if (revision !== sha) {
    await mkdir(join(repository, "refs"), { recursive: true });
    await writeFile(join(repository, "refs", revision), sha);
  }
  return snapshot;
}

/** Configs, tokenizer and safetensors; not the same weights in other formats. */
function wanted(files: ListFileEntry[]): ListFileEntry[] {
  return files.filter(
    ({ type, path }) =>
      type === "file" &&
      (/^[\w.-]+\.(json|jinja)$/.test(path) ||
        /^(tokenizer\.model|adapter_model\.safetensors|model(-\d{5}-of-\d{5})?\.safetensors)$/.test(path)),
  );
}

function cachedSnapshot(id: string, revision: string): string | undefined {
  const repository = repositoryFolder(id);
  const ref = join(repository, "refs", revision);
  const commit = existsSync(ref) ? readFileSync(ref, "utf8").trim() : revision;
  const snapshot = join(repository, "snapshots", commit);
  return existsSync(join(snapshot, "config.json")) || existsSync(join(snapshot, "adapter_config.json"))
    ? snapshot
    : undefined;
}

const repositoryFolder = (id: string): string => join(hubCache(), `models--${id.replace("/", "--")}`);

function hubCache(): string {
  return process.env.HF_HUB_CACHE || join(hubHome(), "hub");
}

function hubHome(): string {
  const { HF_HOME, XDG_CACHE_HOME } = process.env;
  return HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");
}

const hubUrl = (): string => (process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");

function storedToken(): string | undefined {
  if (process.env.HF_TOKEN) return process.env.HF_TOKEN.trim();
  const path = process.env.HF_TOKEN_PATH || join(hubHome(), "token");
  return existsSync(path) ? readFileSync(path, "utf8").trim() || undefined : undefined;
}

const isTrue = (value: string | undefined): boolean => /^(1|true|yes|on)$/i.test(value ?? "");

const statusOf = (error: unknown): number | undefined => (error as { statusCode?: number }).statusCode;

function isNetworkError(error: unknown): boolean {
  const status = statusOf(error);
  // fetch throws a TypeError when there is no connection.
  return status === undefined ? error instanceof TypeError : status >= 500 || status === 429;
}

function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message || message : message;
}

/** The hub's own words on a refusal, which know more than the status: a gate, a token without the right to read it. */
function hubWords(error: unknown): string {
  const { data } = error as { data?: { error?: unknown; message?: unknown } };
  const words = String(data?.error ?? data?.message ?? "").trim();
  return words ? ` (${words.slice(0, 300)})` : "";
}

function explained(id: string, revision: string, error: unknown): Error {
  if (error instanceof PretrainedFilesError) return error;
  const status = statusOf(error);
  const page = `${hubUrl()}/${id}`;
  if (status === 401) {
    // Without a token, the hub answers so for what does not exist, too.
    return new PretrainedFilesError(
      `${id} may not be read: 401${hubWords(error)}. ` +
        (storedToken() ? "The token is not valid, or the model " : "The model ") +
        `is private, gated, or does not exist: see ${page}, accept its terms if it has some, and set HF_TOKEN to a token ` +
        "of that account",
    );
  }
  if (status === 403) {
    return new PretrainedFilesError(
      `${id} may not be read: 403${hubWords(error)}. Accept its terms at ${page} with the account of HF_TOKEN, and let the ` +
        "token read gated repositories",
    );
  }
  if (status === 404) {
    return new PretrainedFilesError(`${page} (revision ${revision}) does not exist, and there is no folder ${id}`);
  }
  return new PretrainedFilesError(`${id} cannot be downloaded: ${reason(error)}. Try again: what has come is kept`);
}

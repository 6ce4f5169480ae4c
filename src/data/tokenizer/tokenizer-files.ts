import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../files.js";
import { TokenizerError } from "../errors.js";

/** `tokenizer_config.json`: named tokens, sides, and whatever else the folder says. */
export type TokenizerConfig = Record<string, unknown>;

/** What a Hugging Face tokenizer folder holds. */
export interface TokenizerFiles {
  /** `tokenizer.json` as it stands, so that saving writes the very same bytes. */
  source: Uint8Array;
  tokenizer: TokenizerJson;
  config: TokenizerConfig;
  /** Jinja source of the chat template. */
  chat_template: string | undefined;
}

/** The parts of `tokenizer.json` that this code reads itself; the rest is for @huggingface/tokenizers. */
export interface TokenizerJson {
  added_tokens: { id: number; content: string; special?: boolean }[];
  post_processor: unknown;
  model: { vocab: Record<string, number> | [string, number][] };
  [key: string]: unknown;
}

const NAMED_TOKENS = ["bos_token", "eos_token", "unk_token", "pad_token", "mask_token", "sep_token", "cls_token"];

/**
 * Reads `tokenizer.json` with, where present, `tokenizer_config.json`, `special_tokens_map.json` (transformers 4) and
 * `chat_template.jinja`.
 *
 * @throws TokenizerError naming the file that is missing or unreadable.
 */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  const path = join(folder, "tokenizer.json");
  const source = readOptional(path);
  if (!source) throw new TokenizerError(missingMessage(folder));
  const tokenizer = parseJson(source, path) as TokenizerJson;
  if (typeof tokenizer.model !== "object" || tokenizer.model === null || !tokenizer.model.vocab) {
    throw new TokenizerError(`${path}: holds no model with a vocabulary; it is not a tokenizer.json of Hugging Face`);
  }
  tokenizer.added_tokens ??= [];

  const config = {
    ...namedTokens(readJson(join(folder, "special_tokens_map.json"))),
    ...readJson(join(folder, "tokenizer_config.json")),
  };
  const template = readOptional(join(folder, "chat_template.jinja"))?.toString("utf8");
  return { source, tokenizer, config, chat_template: template ?? templateOf(config.chat_template) };
}

/**
 * Writes what transformers 5 writes: `tokenizer.json`, `tokenizer_config.json` (sorted keys) and `chat_template.jinja`.
 * Each file appears whole or not at all.
 */
export function writeTokenizerFiles(folder: string, { source, config, chat_template }: TokenizerFiles): void {
  mkdirSync(folder, { recursive: true });
  const { chat_template: _, added_tokens_decoder: __, ...rest } = config;
  writeFileAtomic(join(folder, "tokenizer.json"), source);
  writeFileAtomic(join(folder, "tokenizer_config.json"), `${pythonJson(rest)}\n`);
  if (chat_template !== undefined) writeFileAtomic(join(folder, "chat_template.jinja"), chat_template);
  else rmSync(join(folder, "chat_template.jinja"), { force: true });
}

/** A named token may be a string or an object with the token's flags. */
export function tokenContent(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

function namedTokens(map: Record<string, unknown>): TokenizerConfig {
  return Object.fromEntries(Object.entries(map).filter(([key]) => NAMED_TOKENS.includes(key)));
}

/** Older folders keep the template in the config: one string, or a list of named ones. */
function templateOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const named = value as { name?: string; template?: string }[];
  return named.find(({ name }) => name === "default")?.template;
}

function missingMessage(folder: string): string {
  const legacy = readOptional(join(folder, "tokenizer.model"));
  const advice = legacy
    ? "it has only SentencePiece's tokenizer.model: load it once in Python and save_pretrained() it, which writes tokenizer.json"
    : "give the folder of a Hugging Face model or tokenizer";
  return `${join(folder, "tokenizer.json")}: no such file; ${advice}`;
}

function readJson(path: string): Record<string, unknown> {
  const bytes = readOptional(path);
  return bytes ? (parseJson(bytes, path) as Record<string, unknown>) : {};
}

function readOptional(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new TokenizerError(`${path}: cannot be read (${(error as Error).message})`);
  }
}

function parseJson(bytes: Buffer, path: string): object {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw new TokenizerError(
      `${path}: not valid JSON (${(error as Error).message}); the file may be cut short, copy it again`,
    );
  }
  throw new TokenizerError(`${path}: must hold a JSON object`);
}

/** `json.dumps(…, indent=2, sort_keys=True, ensure_ascii=False)` for plain values. */
function pythonJson(value: TokenizerConfig): string {
  const sorted = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(sorted);
    if (typeof item !== "object" || item === null) return item;
    const entries = Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
  };
  const text = JSON.stringify(sorted(value), null, 2);
  // transformers' "no limit" is the integer that 1e30 rounds to; as a float, Python could not slice with it.
  return text.replace(/: (\d(?:\.\d+)?e\+\d+)(?=,?$)/gm, (_, number: string) => `: ${BigInt(Number(number))}`);
}

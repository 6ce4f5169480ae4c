import { Tokenizer as Pipeline } from "@huggingface/tokenizers";
import { ChatTemplateError, TokenizerError } from "../errors.js";
import type { Message } from "../types.js";
import { ChatTemplate } from "./chat-template.js";
import { findPretrainedFolder } from "./pretrained-folder.js";
import {
  readTokenizerFiles,
  type TokenizerConfig,
  type TokenizerFiles,
  tokenContent,
  writeTokenizerFiles,
} from "./tokenizer-files.js";
import { decodeBytesLikePython, pipelineJson } from "./tokenizer-pipeline.js";

export type PaddingSide = "left" | "right";

export interface EncodeOptions {
  /** Whether to add what the tokenizer puts around a text (Gemma: `<bos>` before it). Default true. */
  add_special_tokens?: boolean;
  /** Keep at most so many tokens, from the start of the text. */
  max_length?: number;
}

export interface DecodeOptions {
  /** Leave out `<bos>`, `<pad>`, `<end_of_turn>`, … Default false. */
  skip_special_tokens?: boolean;
}

export interface ChatTemplateOptions {
  /** End with the header of the model's turn, so that the model answers next. Default false. */
  add_generation_prompt?: boolean;
  /** Return token ids (default) or the text. */
  tokenize?: boolean;
  /** Anything else that the template may use (`tools`, `enable_thinking`, …). */
  [variable: string]: unknown;
}

/** Loads tokenizers, as transformers' class of this name. */
export const AutoTokenizer = {
  /**
   * The tokenizer of a folder with `tokenizer.json`, or of a hub id whose files are in the Hugging Face cache.
   *
   * @throws TokenizerError naming what is missing or unreadable.
   */
  async fromPretrained(nameOrPath: string): Promise<PreTrainedTokenizer> {
    const folder = findPretrainedFolder(nameOrPath);
    if (folder === undefined) {
      throw new TokenizerError(
        `${nameOrPath}: no such folder, and no such model in the Hugging Face cache; check the path, or download the model first`,
      );
    }
    return new PreTrainedTokenizer(readTokenizerFiles(folder), nameOrPath);
  },
};

/** Text to token ids and back, with the chat template of the model; equal to transformers' fast tokenizer. */
export class PreTrainedTokenizer {
  /** On which side the collator pads. Gemma's tokenizers pad on the left unless their config says otherwise. */
  padding_side: PaddingSide;
  private readonly pipeline: Pipeline;
  private readonly named: Record<string, string | undefined>;
  /** What `skip_special_tokens` leaves out: more than `all_special_ids`, since tokenizer.json marks further tokens. */
  private readonly skippedIds: Set<number>;
  private compiled: ChatTemplate | undefined;

  constructor(
    private readonly files: TokenizerFiles,
    /** The folder or hub id that it was loaded from. */
    readonly name_or_path: string,
  ) {
    const { tokenizer, config } = files;
    const family = String(config.tokenizer_class ?? "");
    this.padding_side =
      config.padding_side === "left" || config.padding_side === "right"
        ? config.padding_side
        : /^(Gemma|Llama|CodeLlama|Cohere)/.test(family)
          ? "left"
          : "right";
    try {
      this.pipeline = new Pipeline(pipelineJson(files), config);
    } catch (error) {
      throw new TokenizerError(`${name_or_path}: tokenizer.json cannot be used (${(error as Error).message})`);
    }
    decodeBytesLikePython(this.pipeline);
    this.named = namedTokens(files, family, (token) => this.idOf(token) !== undefined);
    this.refuseUnknownTokens();
    const marked = tokenizer.added_tokens.filter(({ special }) => special).map(({ id }) => id);
    this.skippedIds = new Set([...marked, ...this.all_special_ids]);
  }

  /** Entries of the base vocabulary and added tokens together: Python's `len(tokenizer)`. */
  get length(): number {
    const { model, added_tokens } = this.files.tokenizer;
    const base = Array.isArray(model.vocab) ? model.vocab.length : Object.keys(model.vocab).length;
    const beyond = added_tokens.filter(({ content }) => !Array.isArray(model.vocab) && !(content in model.vocab));
    return base + beyond.length;
  }

  get model_max_length(): number {
    const limit = this.files.config.model_max_length;
    return typeof limit === "number" ? limit : Number.POSITIVE_INFINITY;
  }

  get chat_template(): string | undefined {
    return this.files.chat_template;
  }

  get bos_token(): string | undefined {
    return this.named.bos_token;
  }
  get eos_token(): string | undefined {
    return this.named.eos_token;
  }
  get unk_token(): string | undefined {
    return this.named.unk_token;
  }
  get mask_token(): string | undefined {
    return this.named.mask_token;
  }
  get pad_token(): string | undefined {
    return this.named.pad_token;
  }
  /** @throws TokenizerError when the token is not in the vocabulary. */
  set pad_token(token: string) {
    if (this.idOf(token) === undefined) {
      throw new TokenizerError(`pad_token "${token}" is not in the vocabulary of ${this.name_or_path}`);
    }
    this.named.pad_token = token;
  }

  get bos_token_id(): number | undefined {
    return this.namedId("bos_token");
  }
  get eos_token_id(): number | undefined {
    return this.namedId("eos_token");
  }
  get unk_token_id(): number | undefined {
    return this.namedId("unk_token");
  }
  get mask_token_id(): number | undefined {
    return this.namedId("mask_token");
  }
  /** Undefined when the tokenizer has no padding token: set `pad_token` before you collate. */
  get pad_token_id(): number | undefined {
    return this.namedId("pad_token");
  }

  /** The named tokens and those that the config lists as extra ones, in ascending order. */
  get all_special_ids(): number[] {
    const tokens = [...Object.values(this.named), ...extraTokens(this.files.config)];
    const ids = tokens.map((token) => (token === undefined ? undefined : this.idOf(token)));
    return [...new Set(ids.filter((id) => id !== undefined))].sort((a, b) => a - b);
  }

  /** Token ids of a text. Equal to Python's, doubled `<bos>` included when the text already starts with one. */
  encode(text: string, { add_special_tokens = true, max_length }: EncodeOptions = {}): number[] {
    if (typeof text !== "string") throw new TokenizerError(`encode takes a string, got ${typeof text}`);
    const { ids } = this.pipeline.encode(text, { add_special_tokens });
    return max_length === undefined ? ids : ids.slice(0, max_length);
  }

  /**
   * The text of token ids. Ids beyond the vocabulary are left out, as Python does.
   * @throws TokenizerError for a negative id or one that is not an integer.
   */
  decode(ids: Iterable<number>, { skip_special_tokens = false }: DecodeOptions = {}): string {
    const kept: number[] = [];
    for (const id of ids) {
      if (!Number.isInteger(id) || id < 0) {
        throw new TokenizerError(`cannot decode token id ${id}; labels of -100 must be left out or replaced first`);
      }
      if (this.pipeline.id_to_token(id) === undefined || (skip_special_tokens && this.skippedIds.has(id))) continue;
      kept.push(id);
    }
    // The clean-up of spaces before punctuation is for WordPiece; transformers 5 never does it to BPE.
    return kept.length === 0 ? "" : this.pipeline.decode(kept, { clean_up_tokenization_spaces: false });
  }

  batchDecode(batch: Iterable<Iterable<number>>, options: DecodeOptions = {}): string[] {
    return Array.from(batch, (ids) => this.decode(ids, options));
  }

  convertTokensToIds(token: string): number | undefined {
    return this.idOf(token);
  }

  convertIdsToTokens(id: number): string | undefined {
    return this.pipeline.id_to_token(id);
  }

  /**
   * A conversation in the model's own format. The template writes `<bos>` itself, so ids are taken without adding
   * special tokens: adding them would give two.
   *
   * @throws ChatTemplateError when there is no template, or it refuses the conversation (Gemma: "System role not
   * supported", "Conversation roles must alternate …").
   */
  applyChatTemplate(messages: readonly Message[], options: ChatTemplateOptions & { tokenize: false }): string;
  applyChatTemplate(messages: readonly Message[], options?: ChatTemplateOptions): number[];
  applyChatTemplate(
    messages: readonly Message[],
    { tokenize = true, add_generation_prompt = false, ...variables }: ChatTemplateOptions = {},
  ): number[] | string {
    if (this.files.chat_template === undefined) {
      throw new ChatTemplateError(
        `${this.name_or_path} has no chat template: add a chat_template.jinja to its folder, or use an instruction-tuned model`,
      );
    }
    this.compiled ??= new ChatTemplate(this.files.chat_template);
    const text = this.compiled.render(messages, { ...this.named, ...variables, add_generation_prompt });
    return tokenize ? this.encode(text, { add_special_tokens: false }) : text;
  }

  /** Writes `tokenizer.json`, `tokenizer_config.json` and `chat_template.jinja`, which transformers loads. */
  async savePretrained(folder: string): Promise<void> {
    const named = Object.fromEntries(Object.entries(this.named).filter(([, token]) => token !== undefined));
    const config = { ...this.files.config, ...named, padding_side: this.padding_side };
    writeTokenizerFiles(folder, { ...this.files, config });
  }

  /** Python would add such a token beyond the model's embeddings, and the first batch would fail with an index error. */
  private refuseUnknownTokens(): void {
    for (const name of ["pad_token", "bos_token", "eos_token"]) {
      const token = tokenContent(this.files.config[name]);
      if (token !== undefined && this.idOf(token) === undefined) {
        throw new TokenizerError(
          `${this.name_or_path}: tokenizer_config.json names the ${name} "${token}", which tokenizer.json does not hold; ` +
            "correct one of the two files",
        );
      }
    }
  }

  private idOf(token: string): number | undefined {
    return this.pipeline.token_to_id(token);
  }

  private namedId(name: string): number | undefined {
    const token = this.named[name];
    return token === undefined ? undefined : this.idOf(token);
  }
}

/** Names from the config; Gemma's class has defaults of its own, as far as the vocabulary knows them. */
function namedTokens(
  { config }: TokenizerFiles,
  family: string,
  known: (token: string) => boolean,
): Record<string, string | undefined> {
  const names = ["bos_token", "eos_token", "unk_token", "pad_token", "mask_token"];
  return Object.fromEntries(
    names.map((name) => {
      const fallback = family.startsWith("Gemma") ? `<${name.replace("_token", "")}>` : undefined;
      const token = tokenContent(config[name]) ?? (name in config ? undefined : fallback);
      return [name, token !== undefined && known(token) ? token : undefined];
    }),
  );
}

/** transformers 5 calls them `extra_special_tokens` (a list, or names to tokens), version 4 `additional_special_tokens`. */
function extraTokens({ extra_special_tokens, additional_special_tokens }: TokenizerConfig): (string | undefined)[] {
  const lists = [extra_special_tokens ?? [], additional_special_tokens ?? []] as object[];
  return lists.flatMap((list) => Object.values(list).map(tokenContent));
}

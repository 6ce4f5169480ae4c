import { CollatorError } from "../errors.js";
import type { Batch, TokenRow } from "../types.js";
import { DataCollatorForLanguageModeling } from "./collator.js";
import type { PaddingTokenizer } from "./pad.js";

export interface CompletionOnlyOptions {
  tokenizer: PaddingTokenizer & {
    readonly eos_token_id?: number | undefined;
    encode(text: string, options: { add_special_tokens: boolean }): number[];
  };
  /**
   * What stands before the model's words, as text or token ids; Gemma: "<start_of_turn>model\n". A tokenizer may write the
   * same text differently in the middle of a conversation, and then only ids match.
   */
  response_template: string | number[];
  /** What stands before the user's words; Gemma: "<start_of_turn>user\n". Without it only the last answer is learned. */
  instruction_template?: string | number[] | null;
  pad_to_multiple_of?: number | null;
  /** Told once for each kind of row that carries no loss at all. Default: console.warn. */
  on_warning?: (message: string) => void;
}

/**
 * Loss on the model's turns alone (TRL's DataCollatorForCompletionOnlyLM, which TRL 0.20 removed): every other label is
 * -100. A row in which a template is not found teaches nothing.
 */
export class DataCollatorForCompletionOnlyLM {
  private readonly base: DataCollatorForLanguageModeling;
  private readonly response: number[];
  private readonly instruction: number[] | undefined;
  private readonly warn: (kind: string, message: string) => void;

  /** @throws CollatorError for an empty template, or a tokenizer without pad token. */
  constructor(options: CompletionOnlyOptions) {
    const { tokenizer, response_template, instruction_template, pad_to_multiple_of } = options;
    this.base = new DataCollatorForLanguageModeling({ tokenizer, mlm: false, pad_to_multiple_of });
    const ids = (name: string, template: string | number[]) => {
      const encoded =
        typeof template === "string" ? tokenizer.encode(template, { add_special_tokens: false }) : template;
      if (encoded.length === 0) throw new CollatorError(`${name} is empty`);
      return encoded;
    };
    this.response = ids("response_template", response_template);
    this.instruction = instruction_template == null ? undefined : ids("instruction_template", instruction_template);
    this.warn = warnOnce(options.on_warning ?? ((message) => console.warn(message)));
    if (this.instruction && tokenizer.pad_token_id === tokenizer.eos_token_id) {
      this.warn(
        "eos",
        "the pad token is also eos: the model will not learn where its turn ends; choose another pad token",
      );
    }
  }

  /** As DataCollatorForLanguageModeling's, with fewer labels. */
  collate(rows: readonly TokenRow[]): Batch {
    const batch = this.base.collate(rows);
    return { ...batch, labels: batch.labels.map((labels) => this.onlyAnswers(labels)) };
  }

  private onlyAnswers(labels: number[]): number[] {
    const answers = matches(labels, this.response).map((start) => start + this.response.length);
    if (answers.length === 0) return this.silent(labels, "response_template");
    if (!this.instruction) return mask(labels, 0, answers.at(-1)!);

    const questions = matches(labels, this.instruction);
    if (questions.length === 0) return this.silent(labels, "instruction_template");
    // A conversation that the model opens: its first answer has no question before it.
    if (questions[0]! > answers[0]!) questions.unshift(0);
    const pairs = Math.min(questions.length, answers.length);
    let masked = mask(labels, 0, answers[0]!);
    for (let i = 1; i < pairs; i++) masked = mask(masked, questions[i]!, answers[i]!);
    return answers.length < questions.length ? mask(masked, questions.at(-1)!, labels.length) : masked;
  }

  private silent(labels: number[], template: string): number[] {
    this.warn(
      template,
      `a row without the ${template} carries no loss; if most rows do, check the template (give it as token ids) and max_length`,
    );
    return mask(labels, 0, labels.length);
  }
}

function warnOnce(warn: (message: string) => void): (kind: string, message: string) => void {
  const told = new Set<string>();
  return (kind, message) => {
    if (told.has(kind)) return;
    told.add(kind);
    warn(message);
  };
}

/** Where `pattern` starts in `ids`. */
function matches(ids: readonly number[], pattern: readonly number[]): number[] {
  const starts: number[] = [];
  for (let at = 0; at + pattern.length <= ids.length; at++) {
    if (pattern.every((id, i) => ids[at + i] === id)) starts.push(at);
  }
  return starts;
}

/** `labels` with -100 from `start` up to `end`. An answer before its question (`end <= start`) masks nothing, as in Python. */
function mask(labels: readonly number[], start: number, end: number): number[] {
  return labels.map((label, i) => (i >= start && i < end ? -100 : label));
}

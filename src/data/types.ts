/** Who speaks. Gemma's own name for the assistant is `model`; both are accepted wherever messages are read. */
export type Role = "system" | "user" | "assistant" | "model";

export interface Message {
  role: Role;
  content: string;
}

/** One tokenised example, before padding. Keys are Hugging Face's. */
export interface TokenRow {
  input_ids: number[];
  attention_mask?: number[];
  labels?: number[];
  [key: string]: unknown;
}

/** A padded batch on the host: every matrix is `[batch, seq]`. Labels of -100 carry no loss. */
export interface Batch {
  input_ids: number[][];
  attention_mask: number[][];
  labels: number[][];
  /** For packed rows: they start anew with each text. */
  position_ids?: number[][];
}

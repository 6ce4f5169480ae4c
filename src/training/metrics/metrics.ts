import type { ComputeMetrics } from "../run/evaluation.js";
import { scoreSocraticReply } from "./socratic-score.js";

/** What the metrics need of a tokenizer. */
export interface DecodingTokenizer {
  decode(ids: Iterable<number>, options?: { skip_special_tokens?: boolean }): string;
  convertTokensToIds(token: string): number | undefined;
}

/** A model turn of an evaluation row: what the model predicts for it, and what it answers. */
interface PredictedTurn {
  reply: string;
  partner: string;
}

/**
 * `compute_metrics` for Socratic dialogues: `combined_score` and its parts, each in [0, 1], averaged over all model turns.
 * See `scoreSocraticReply` for what they mean.
 *
 * They are computed from the model's own predictions for its turns (the most likely token at each position, given the true
 * text before it), not from the reference answers.
 */
export function socraticMetrics(tokenizer: DecodingTokenizer): ComputeMetrics {
  return ({ predictions, label_ids }) => {
    const turns = label_ids.flatMap((labels, row) => predictedTurns(predictions[row]!, labels, tokenizer));
    const scores = turns.map(({ reply, partner }) => scoreSocraticReply(reply, partner));
    const mean = (key: keyof (typeof scores)[number]) =>
      scores.length === 0 ? 0 : scores.reduce((sum, score) => sum + score[key], 0) / scores.length;
    return {
      combined_score: mean("combined_score"),
      question_score: mean("question_score"),
      flow_score: mean("flow_score"),
      style_score: mean("style_score"),
    };
  };
}

/**
 * The model turns of a row. The prediction for the label at position p stands at position p - 1. In Gemma's format turns
 * are found by their headers; labels without any header (completion-only training) hold model turns only.
 */
function predictedTurns(predictions: number[], labels: number[], tokenizer: DecodingTokenizer): PredictedTurn[] {
  const text = (ids: number[]) => tokenizer.decode(ids, { skip_special_tokens: true }).trim();
  const predicted = (from: number, to: number) =>
    text(predictions.slice(Math.max(0, from - 1), to - 1).filter((id) => id >= 0));
  const turns: PredictedTurn[] = [];
  let partner = "";
  for (const { role, from, to } of findTurns(labels, tokenizer)) {
    if (role === "model" || role === "assistant") turns.push({ reply: predicted(from, to), partner });
    else partner = text(labels.slice(from, to));
  }
  return turns;
}

interface Turn {
  role: string;
  /** First position of the content. */
  from: number;
  /** The position after it. */
  to: number;
}

function findTurns(labels: number[], tokenizer: DecodingTokenizer): Turn[] {
  const start = tokenizer.convertTokensToIds("<start_of_turn>");
  const end = tokenizer.convertTokensToIds("<end_of_turn>");
  if (start === undefined || !labels.includes(start)) return runs(labels);
  const turns: Turn[] = [];
  for (let at = labels.indexOf(start); at >= 0; at = labels.indexOf(start, at + 1)) {
    const header = labels.slice(at + 1, at + 1 + longestHeader);
    const newline = header.findIndex((id) => id >= 0 && tokenizer.decode([id]).includes("\n"));
    if (newline < 0) continue;
    const from = at + newline + 2;
    const stop = labels.findIndex((id, i) => i >= from && (id === end || id === start || id === -100));
    const role = tokenizer.decode(header.slice(0, newline).filter((id) => id >= 0)).trim();
    turns.push({ role, from, to: stop < 0 ? labels.length : stop });
  }
  return turns;
}

/** A role's name may be cut into several tokens. */
const longestHeader = 10;

function runs(labels: number[]): Turn[] {
  const turns: Turn[] = [];
  let from = -1;
  for (let i = 0; i <= labels.length; i++) {
    const counts = i < labels.length && labels[i] !== -100;
    if (counts && from < 0) from = i;
    if (!counts && from >= 0) {
      turns.push({ role: "model", from, to: i });
      from = -1;
    }
  }
  return turns;
}

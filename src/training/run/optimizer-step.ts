import type { Batch } from "../../data/types.js";
import type { UnderWay } from "../ahead.js";
import { lossScales } from "../arguments/compat.js";
import { collated } from "../batches.js";
import type { RunContext } from "./context.js";
import { answerNonFinite, type NonFinite } from "./non-finite.js";
import type { Saver } from "./saver.js";

/**
 * One optimizer step: the gradients of its micro-batches added up, clipped, applied.
 * @param window the micro-batches, as row numbers
 * @param saver knows the checkpoint to go back to when something in it is not a number
 * @returns false when the step was left out, because something in it was not a number
 * @throws NonFiniteError, RollBack as `nan_policy` says; EarlyEnd between micro-batches
 */
export async function optimizerStep(run: RunContext, window: number[][], saver: Saver): Promise<boolean> {
  const { trainer, books } = run;
  const { args, state } = trainer;
  const { collator, train_dataset } = trainer;
  const batches = window.map((rows) => collated(collator, train_dataset!, rows, args.remove_unused_columns));
  const { loss, bad: badLoss } = await accumulate(run, window, batches);
  // Not before the whole step is there: one that an interrupt drops must leave no trace.
  for (const batch of batches) countTokens(run, batch);
  await trainer.emit("on_pre_optimizer_step");
  const bad = await update(run, window, badLoss);
  if (bad) {
    await saver.settleQuietly();
    answerNonFinite(bad, { state, args, lastSaved: saver.lastSaved, rollbacks: books.rollbacks });
    return false;
  }
  books.pending_loss += loss;
  books.total_loss += loss;
  return true;
}

async function accumulate(
  { trainer, step, ends }: RunContext,
  window: number[][],
  batches: Batch[],
): Promise<{ loss: number; bad?: NonFinite }> {
  const { args, state } = trainer;
  const scales = lossScales(args, batches);
  const start = (i: number) =>
    step.begin(batches[i]!, scales[i]!, state.global_step * args.gradient_accumulation_steps + i);
  let loss = 0;
  let begun: UnderWay<number> | undefined;
  for (const i of batches.keys()) {
    const current: UnderWay<number> = begun ?? (await start(i));
    begun = step.ahead.isWorthwhile && i + 1 < batches.length ? await start(i + 1) : undefined;
    const part = await current.result;
    await ends.endIfAsked();
    if (!Number.isFinite(part)) {
      const what = `The loss of a training batch is ${part}`;
      return { loss, bad: { what, rows: window[i]!, all_masked: Number.isNaN(scales[i]) } };
    }
    // Torch adds the micro-losses in float32.
    loss = Math.fround(loss + part);
    if (i + 1 < batches.length) {
      await trainer.emit("on_substep_end", { substep: { done: i + 1, total: batches.length } });
    }
  }
  return { loss };
}

async function update(
  { step, scheduler, books }: RunContext,
  window: number[][],
  badLoss: NonFinite | undefined,
): Promise<NonFinite | undefined> {
  books.last_learning_rate = scheduler.getLastLr() * books.rate_factor;
  if (badLoss) {
    step.dropGradient();
    books.last_grad_norm = Number.NaN;
    return badLoss;
  }
  books.last_grad_norm = await step.update(books.last_learning_rate);
  if (Number.isFinite(books.last_grad_norm)) return undefined;
  return { what: `The gradient's norm is ${books.last_grad_norm}`, rows: window.flat(), all_masked: false };
}

function countTokens({ trainer, nonEmbeddingParameters }: RunContext, { input_ids, attention_mask }: Batch): void {
  const { state, args } = trainer;
  const padded = input_ids.length * input_ids[0]!.length;
  state.total_flos += 6 * padded * nonEmbeddingParameters;
  const kind = args.include_num_input_tokens_seen;
  if (kind === "all") state.num_input_tokens_seen += padded;
  if (kind === "non_padding") {
    for (const row of attention_mask) for (const one of row) if (one !== 0) state.num_input_tokens_seen += 1;
  }
}

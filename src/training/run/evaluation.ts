import * as tf from "@tensorflow/tfjs";
import { pairwiseSum } from "../../data/random/pairwise-sum.js";
import type { Batch } from "../../data/types.js";
import type { Engine, JitFunction } from "../../engine/types.js";
import { modelInputs } from "../../model/decoder/inputs.js";
import type { CausalLM, ModelInputs, NamedTensors } from "../../model/types.js";
import { Ahead, type UnderWay } from "../ahead.js";
import { type Collator, collated, type RowSource } from "../batches.js";
import { inFewLengths } from "../bucket.js";

/**
 * What `compute_metrics` gets: one row an example, unshifted (the prediction at position t is for label t + 1), padded
 * with -100 to the longest row. Predictions are token ids (argmax), never logits.
 */
export interface EvalPrediction {
  predictions: number[][];
  label_ids: number[][];
}

/** Named figures from predictions; the names get the prefix `eval_`. */
export type ComputeMetrics = (prediction: EvalPrediction) => Record<string, number> | Promise<Record<string, number>>;

export interface Evaluation {
  /**
   * Mean over examples of their batch's mean token loss, as transformers weighs it, in float32 (so that losses which are
   * equal there are equal here, and do not look like an improvement). Undefined when there was no batch.
   */
  loss: number | undefined;
  prediction: EvalPrediction;
}

/** Evaluates a model batch by batch. It holds token ids, not logits: `[rows, seq]`, never `[rows, seq, vocab]`. */
export class Evaluator {
  private readonly ahead: Ahead;
  private readonly step: JitFunction<NamedTensors, { loss_sum: tf.Scalar; predictions: tf.Tensor2D }>;

  /** @param label_smoothing_factor as in training: transformers smooths the evaluation loss too */
  constructor(
    private readonly model: CausalLM,
    private readonly engine: Engine,
    label_smoothing_factor = 0,
  ) {
    model.prepareSteps?.();
    this.ahead = new Ahead(engine);
    this.step = engine.jit(
      (inputs) => {
        const params: NamedTensors = {};
        for (const [key, tensor] of Object.entries(inputs)) {
          if (key.startsWith("param:")) params[key.slice("param:".length)] = tensor;
        }
        const { input_ids, attention_mask, labels, position_ids } = inputs as unknown as ModelInputs;
        const batch = { input_ids, attention_mask, labels: labels!, ...(position_ids && { position_ids }) };
        const outputs = this.model.evaluate(params, batch);
        if (label_smoothing_factor === 0) return outputs;
        return { ...outputs, loss_sum: this.model.lossSum(params, batch, { label_smoothing_factor }) };
      },
      { name: "evaluate", pure: true, deferred: true },
    );
  }

  /**
   * @param batches the row numbers of each batch
   * @param options.keep_predictions false where only the loss is wanted
   * @param options.on_batch called after each batch
   */
  async run(
    rows: RowSource,
    batches: number[][],
    options: {
      /** By what a batch's summed loss is divided. */
      count: (batch: Batch) => number;
      collator: Collator;
      remove_unused_columns: boolean;
      keep_predictions: boolean;
      on_batch?: (done: number, total: number) => void | Promise<void>;
    },
  ): Promise<Evaluation> {
    const prediction: EvalPrediction = { predictions: [], label_ids: [] };
    const losses: number[] = [];
    const begin = async (i: number) => {
      const batch = collated(options.collator, rows, batches[i]!, options.remove_unused_columns);
      return { batch, ...(await this.beginBatch(batch)) };
    };
    let begun: Awaited<ReturnType<typeof begin>> | undefined;
    for (const [i, indices] of batches.entries()) {
      const current: Awaited<ReturnType<typeof begin>> = begun ?? (await begin(i));
      begun = this.ahead.isWorthwhile && i + 1 < batches.length ? await begin(i + 1) : undefined;
      const { batch } = current;
      const { loss_sum, predictions } = await current.result;
      for (const _ of indices) losses.push(loss_sum / options.count(batch));
      if (options.keep_predictions) {
        prediction.predictions.push(...predictions);
        prediction.label_ids.push(...batch.labels);
      }
      await options.on_batch?.(i + 1, batches.length);
    }
    prediction.predictions = padded(prediction.predictions);
    prediction.label_ids = padded(prediction.label_ids);
    const loss = losses.length > 0 ? Math.fround(pairwiseSum(Float32Array.from(losses)) / losses.length) : undefined;
    return { loss, prediction };
  }

  dispose(): void {
    this.step.dispose();
  }

  private async beginBatch(batch: Batch): Promise<UnderWay<{ loss_sum: number; predictions: number[][] }>> {
    const started = performance.now();
    const padded = inFewLengths(batch, this.engine);
    const inputs: NamedTensors = { ...modelInputs(padded, this.model.config) };
    const own = Object.values(inputs);
    for (const [name, tensor] of Object.entries(this.model.trainableParameters())) inputs[`param:${name}`] = tensor;
    try {
      const outputs = await this.step(inputs);
      const reading = Promise.all([outputs.loss_sum.data(), outputs.predictions.data()]);
      tf.dispose([outputs.loss_sum, outputs.predictions]);
      const [width, length] = [padded.input_ids[0]!.length, batch.input_ids[0]!.length];
      const results = reading.then(([loss, flat]) => ({
        loss_sum: loss[0]!,
        predictions: rowsOf(flat, width).map((row) => row.slice(0, length)),
      }));
      return this.ahead.watch(started, results);
    } finally {
      tf.dispose(own);
    }
  }
}

function rowsOf(flat: ArrayLike<number>, width: number): number[][] {
  return Array.from({ length: flat.length / width }, (_, row) =>
    Array.from({ length: width }, (_, column) => flat[row * width + column]!),
  );
}

function padded(rows: number[][]): number[][] {
  const width = rows.reduce((longest, row) => Math.max(longest, row.length), 0);
  return rows.map((row) =>
    row.length === width ? row : [...row, ...new Array<number>(width - row.length).fill(-100)],
  );
}

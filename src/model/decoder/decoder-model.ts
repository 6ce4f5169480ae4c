import type { Scalar, Tensor1D, Tensor2D, Tensor3D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import type { Architecture } from "../architecture.js";
import type { FloatDtype } from "../dtype.js";
import { listed, ModelError } from "../errors.js";
import { Generator } from "../generation/generate.js";
import type {
  CausalLM,
  DropoutMask,
  GenerationOptions,
  ModelConfig,
  ModelInputs,
  NamedTensors,
  StepOptions,
} from "../types.js";
import { linearCrossEntropySum, linearLogits } from "./cross-entropy.js";
import { hiddenStates, type Weights } from "./decoder.js";
import { linearArgmax } from "./frozen-head.js";

export interface Head {
  /** `[vocab, hidden]` */
  weight: Tensor2D;
  /** Whether it is among the trainable parameters. */
  trains: boolean;
}

/** Everything that a base model and an adapted one have in common: the computation. They differ in `bind`. */
export abstract class DecoderModel implements CausalLM {
  abstract readonly config: ModelConfig;
  abstract readonly name_or_path: string;
  /** The type that the weights had on disk, and get when saved; computation is float32. */
  abstract readonly dtype: FloatDtype;
  abstract readonly arch: Architecture;
  /** `generation_config.json` as read. */
  abstract readonly generation_config: Record<string, unknown>;
  abstract trainableParameters(): NamedTensors;
  abstract parameterCounts(): { trainable: number; total: number; embedding: number };
  abstract setTrainableParameters(values: NamedTensors): void;
  abstract dropoutMasks(batch: number, seq: number): DropoutMask[];
  abstract savePretrained(dir: string, options?: { flush?: boolean }): Promise<void>;
  /** How a pass reads its weights: `params` first, then what is frozen. */
  abstract bind(params: NamedTensors, options?: StepOptions): Weights;
  /** The output head: a weight of its own, or the token embeddings. */
  abstract head(params: NamedTensors): Head;

  private generator: Generator | undefined;

  prepareSteps(): void {}

  logits(params: NamedTensors, inputs: ModelInputs, options?: StepOptions): Tensor3D {
    const [batch, seq] = inputs.input_ids.shape;
    return tf.tidy(() => {
      const hidden = this.hidden(params, inputs, options);
      const logits = linearLogits(hidden, this.head(params).weight, this.arch.finalSoftcap);
      return tf.reshape(logits, [batch, seq, this.arch.vocabSize]);
    });
  }

  lossSum(params: NamedTensors, inputs: ModelInputs, options: StepOptions = {}): Scalar {
    return tf.tidy(() => {
      const hidden = this.hidden(params, inputs, options);
      const { weight, trains } = this.head(params);
      const { label_smoothing_factor } = options;
      const head = { softcap: this.arch.finalSoftcap, trains, label_smoothing_factor };
      return linearCrossEntropySum(hidden, weight, shiftedLabels(inputs), head);
    });
  }

  evaluate(params: NamedTensors, inputs: ModelInputs): { loss_sum: Scalar; predictions: Tensor2D } {
    return tf.tidy(() => {
      const hidden = this.hidden(params, inputs);
      const { weight } = this.head(params);
      const best = linearArgmax(hidden, weight, shiftedLabels(inputs), { softcap: this.arch.finalSoftcap });
      return { loss_sum: best.loss_sum, predictions: tf.reshape(best.predictions, inputs.input_ids.shape) };
    });
  }

  forward(inputs: ModelInputs): { logits: Tensor3D; loss?: Scalar } {
    const params = this.trainableParameters();
    return tf.tidy(() => {
      const logits = this.logits(params, inputs);
      if (!inputs.labels) return { logits };
      const labels = shiftedLabels(inputs);
      const counted = tf.sum(tf.cast(tf.notEqual(labels, -100), "float32"));
      const loss: Scalar = tf.div(this.lossSum(params, inputs), tf.maximum(counted, 1));
      return { logits, loss };
    });
  }

  generate(input_ids: number[], options?: GenerationOptions): Promise<number[]>;
  generate(input_ids: number[][], options?: GenerationOptions): Promise<number[][]>;
  async generate(input_ids: number[] | number[][], options: GenerationOptions = {}): Promise<number[] | number[][]> {
    this.prepareSteps();
    this.generator ??= new Generator(this);
    const several = Array.isArray(input_ids[0]);
    const prompts = (several ? input_ids : [input_ids]) as number[][];
    const rows = await this.generator.generate(prompts, options);
    return several ? rows : rows[0]!;
  }

  /** Frees every tensor of the model. */
  dispose(): void {
    this.generator?.dispose();
    this.generator = undefined;
  }

  /** Call when frozen weights change: traced steps hold on to them. */
  protected forgetTraces(): void {
    this.generator?.dispose();
    this.generator = undefined;
  }

  private hidden(params: NamedTensors, inputs: ModelInputs, options: StepOptions = {}): Tensor2D {
    checkInputs(inputs);
    const masks = options.dropout;
    if (masks) {
      const [batch, seq] = inputs.input_ids.shape;
      const missing = this.dropoutMasks(batch, seq).filter(({ name }) => !masks[name]);
      if (missing.length) throw new ModelError(`dropout masks missing: ${listed(missing.map((m) => m.name))}`);
    }
    return hiddenStates(this.arch, (own) => this.bind(own, options), params, inputs, options);
  }
}

/** `[batch * seq]`: at position t the label of t + 1, and -100 at the last position of each row. */
function shiftedLabels({ labels, input_ids }: ModelInputs): Tensor1D {
  const [batch, seq] = input_ids.shape;
  if (!labels) return tf.fill([batch * seq], -100, "int32");
  const end = tf.fill([batch, 1], -100, "int32");
  return tf.reshape(tf.concat([tf.slice(labels, [0, 1], [batch, seq - 1]), end], 1), [-1]);
}

function checkInputs({ input_ids, attention_mask, labels, position_ids }: ModelInputs): void {
  const given = { input_ids, attention_mask, ...(labels && { labels }), ...(position_ids && { position_ids }) };
  for (const [name, tensor] of Object.entries(given)) {
    if (tensor.rank !== 2 || tensor.dtype !== "int32" || `${tensor.shape}` !== `${input_ids.shape}`) {
      throw new ModelError(
        `${name} is ${tensor.dtype} [${tensor.shape}], expected int32 [batch, seq] like input_ids [${input_ids.shape}]`,
      );
    }
  }
}

/**
 * Checks new values for parameters against the shapes that they must have.
 * @throws ModelError naming unknown parameters or a wrong shape
 */
export function checkParameters(values: NamedTensors, shapes: ReadonlyMap<string, number[]>): void {
  const unknown = Object.keys(values).filter((name) => !shapes.has(name));
  if (unknown.length) throw new ModelError(`not trainable parameters of this model: ${listed(unknown)}`);
  for (const [name, tensor] of Object.entries(values)) {
    const shape = shapes.get(name)!;
    if (`${tensor.shape}` !== `${shape}`) {
      throw new ModelError(`${name} has shape [${tensor.shape}], expected [${shape}]`);
    }
  }
}

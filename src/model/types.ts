import type { Scalar, Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs";

/** Tensors by name. Parameter names are those of the Hugging Face state dict. */
export type NamedTensors = Record<string, Tensor>;

/** A padded batch on the engine; all int32 `[batch, seq]`. */
export interface ModelInputs {
  input_ids: Tensor2D;
  /** 1 = token, 0 = padding. */
  attention_mask: Tensor2D;
  /** Unshifted, -100 = ignored; the model compares position t with label t + 1. */
  labels?: Tensor2D;
  /**
   * For several texts packed into a row (`DataCollatorWithFlattening`): a text begins wherever positions do not go on by
   * 1, and sees no other. Default: 0, 1, 2, … whatever the padding, as Trainer has it.
   */
  position_ids?: Tensor2D;
}

/** A dropout mask that one step needs: `rate` says how it is drawn, `shape` how large it is. */
export interface DropoutMask {
  name: string;
  shape: number[];
  rate: number;
}

export interface StepOptions {
  /**
   * Masks by name, values 0 or 1/(1-rate). Absent = no dropout (evaluation).
   * They are arguments, not random ops, so that a replayed or resumed step is exactly the same step.
   */
  dropout?: NamedTensors;
  /** Recompute each layer in the backward pass instead of keeping its activations. */
  gradient_checkpointing?: boolean;
  /** Trainer's label smoothing: this share of the target is spread over the whole vocabulary. Default 0. */
  label_smoothing_factor?: number;
  /** Added to the (scaled) token embeddings, `[batch, seq, hidden]`: NEFTune. */
  embedding_noise?: Tensor3D;
}

/**
 * What training, evaluation and generation need of a model. Base models and `PeftModel` implement it.
 *
 * The pure functions (`logits`, `lossSum`, `evaluate`) take the trainable parameters as an argument and read the frozen
 * ones from the model: so an engine can trace them once and replay them, and `tf.grads` over `params` never builds the
 * gradient of a frozen weight.
 */
export interface CausalLM {
  readonly config: ModelConfig;
  /** The folder or hub id it was loaded from. */
  readonly name_or_path: string;
  /** Parameters that train, in the order of torch's `named_parameters()`. Owned by the model: do not dispose. */
  trainableParameters(): NamedTensors;
  /** Every parameter (frozen and trainable) with its element count, for `print_trainable_parameters` and FLOPs. */
  parameterCounts(): { trainable: number; total: number; embedding: number };
  /** Replaces trainable parameters (shapes must match). The model takes ownership of `values` and disposes the old ones. */
  setTrainableParameters(values: NamedTensors): void;
  /**
   * Called before many steps on the same frozen weights, and not while one is traced. A small model in 4 bit then decodes
   * its weights once and keeps them, until it is disposed.
   */
  prepareSteps?(): void;
  /** `[batch, seq, vocab]`. Only for small vocabularies and tests; training and evaluation never call it. */
  logits(params: NamedTensors, inputs: ModelInputs, options?: StepOptions): Tensor3D;
  /** Sum (not mean) of token cross-entropies over labels[:, 1:] that are not -100. */
  lossSum(params: NamedTensors, inputs: ModelInputs, options?: StepOptions): Scalar;
  /** One evaluation batch without whole logits: summed loss and the argmax at every position (int32 `[batch, seq]`, unshifted). */
  evaluate(params: NamedTensors, inputs: ModelInputs): { loss_sum: Scalar; predictions: Tensor2D };
  /** The masks that `lossSum` wants for a batch of this shape; empty without dropout. */
  dropoutMasks(batch: number, seq: number): DropoutMask[];
  /** The convenient form: logits of the current parameters, and the mean loss when labels are given. */
  forward(inputs: ModelInputs): { logits: Tensor3D; loss?: Scalar };
  /** One prompt and its continuation; or several at once, each returned without padding. */
  generate(input_ids: number[], options?: GenerationOptions): Promise<number[]>;
  generate(input_ids: number[][], options?: GenerationOptions): Promise<number[][]>;
  /**
   * Writes what `from_pretrained` (a base model) or PEFT (an adapter) reads.
   * @param options.flush false where the caller sees to it that the files reach the disk; default true
   */
  savePretrained(dir: string, options?: { flush?: boolean }): Promise<void>;
  dispose(): void;
}

/** A Hugging Face `config.json`; the architecture files narrow it. */
export interface ModelConfig {
  model_type: string;
  vocab_size: number;
  hidden_size: number;
  num_hidden_layers: number;
  pad_token_id?: number | null;
  bos_token_id?: number | null;
  eos_token_id?: number | number[] | null;
  [key: string]: unknown;
}

export interface GenerationOptions {
  max_new_tokens?: number;
  do_sample?: boolean;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  repetition_penalty?: number;
  seed?: number;
  /** Generation stops after any of these; default: generation_config.json's eos_token_id. */
  eos_token_id?: number | number[];
  /** Called with each new token, for streaming; `row` says of which prompt. */
  on_token?: (id: number, row: number) => void;
  signal?: AbortSignal;
}

import * as tf from "@tensorflow/tfjs";
import { randomDropoutMask, randomUniform } from "../data/random/random.js";
import type { Batch } from "../data/types.js";
import type { Engine, JitFunction } from "../engine/types.js";
import { modelInputs } from "../model/decoder/inputs.js";
import type { CausalLM, ModelInputs, NamedTensors, StepOptions } from "../model/types.js";
import { type AdamWOptions, adamw, adamwScalars, decays } from "./adamw.js";
import { Ahead, type UnderWay } from "./ahead.js";
import type { TrainingArguments } from "./arguments/arguments.js";
import { inFewLengths } from "./bucket.js";
import { Turns } from "./turns.js";

/** The optimizer's memory on the host. Parameters lie one after another, as `layout` says. */
export interface OptimizerState {
  /** Updates done; AdamW's k. */
  step: number;
  layout: ParameterSlot[];
  exp_avg: Float32Array;
  exp_avg_sq: Float32Array;
}

export interface ParameterSlot {
  name: string;
  shape: number[];
  /** First element in the flat vector. */
  offset: number;
}

/**
 * The two functions that a training run repeats, prepared for the engine: `accumulate` adds one micro-batch's gradient,
 * `update` clips it and moves the parameters. Parameters, gradient and moments are flat vectors, so that AdamW is a dozen
 * operations however many parameters there are. Gradients are taken for the separate parameters, which are slices made
 * outside of the step, and joined afterwards (inside, every slice's gradient would be padded to the full length).
 *
 * It works on its own copies of the parameters (which share their memory): call `syncModel` before somebody looks.
 */
export class TrainStep {
  /** When the next micro-batch may be begun before the loss of this one is there. */
  readonly ahead: Ahead;
  private readonly layout: ParameterSlot[];
  private readonly size: number;
  private readonly adam: AdamWOptions;
  private readonly decayMask: tf.Tensor1D | undefined;
  private readonly micro: JitFunction<NamedTensors, { loss: tf.Scalar; grad: tf.Tensor1D }>;
  private readonly optimizer: JitFunction<NamedTensors, NamedTensors>;
  private readonly zero: tf.Tensor1D;
  /** Slices of `flat`, once there has been an update. */
  private params: tf.Tensor[];
  private flat: tf.Tensor1D | undefined;
  private m: tf.Tensor1D;
  private v: tf.Tensor1D;
  private grad: tf.Tensor1D | undefined;
  private updates = 0;
  private synced = true;

  constructor(
    private readonly model: CausalLM,
    private readonly engine: Engine,
    private readonly args: TrainingArguments,
  ) {
    model.prepareSteps?.();
    const named = Object.entries(model.trainableParameters());
    if (named.length === 0) throw new Error("The model has no trainable parameters; see getPeftModel for adapters.");
    this.ahead = new Ahead(engine);
    this.layout = layOut(named);
    this.size = named.reduce((sum, [, tensor]) => sum + tensor.size, 0);
    this.adam = {
      beta1: args.adam_beta1,
      beta2: args.adam_beta2,
      epsilon: args.adam_epsilon,
      weight_decay: args.weight_decay,
    };
    this.params = named.map(([, tensor]) => tf.clone(tensor));
    this.decayMask = args.weight_decay === 0 ? undefined : maskOfDecay(this.layout, this.size);
    this.zero = tf.zeros([this.size]);
    this.m = tf.zeros([this.size]);
    this.v = tf.zeros([this.size]);
    this.micro = engine.jit((inputs) => this.microStep(inputs), { name: "train_step", pure: true, deferred: true });
    this.optimizer = engine.jit((inputs) => this.optimizerStep(inputs), {
      name: "optimizer_step",
      pure: true,
      deferred: true,
    });
  }

  /**
   * Adds the gradient of `scale` times the batch's summed loss, and returns that loss.
   * @param draw says which dropout masks: they depend on the seed, this number and their name, and on nothing else
   */
  async accumulate(batch: Batch, scale: number, draw: number): Promise<number> {
    return (await this.begin(batch, scale, draw)).result;
  }

  /** As `accumulate`, but where the engine can, it only gets it under way, so that the next batch can be given meanwhile. */
  async begin(given: Batch, scale: number, draw: number): Promise<UnderWay<number>> {
    const started = performance.now();
    const batch = inFewLengths(given, this.engine);
    const inputs: NamedTensors = {
      grad: this.grad ?? this.zero,
      scale: tf.scalar(scale),
      ...modelInputs(batch, this.model.config),
    };
    const turns = new Turns();
    for (const mask of this.model.dropoutMasks(batch.input_ids.length, batch.input_ids[0]!.length)) {
      await turns.giveWay();
      const count = mask.shape.reduce((product, size) => product * size, 1);
      const key = { seed: this.args.seed, name: mask.name, step: draw };
      inputs[`dropout:${mask.name}`] = tf.tensor(randomDropoutMask(key, count, mask.rate), mask.shape);
    }
    if (this.args.neftune_noise_alpha) {
      inputs.embedding_noise = this.neftuneNoise(batch, given.input_ids[0]!.length, draw);
    }
    const own = Object.values(inputs).filter((tensor) => tensor !== this.zero);
    this.grad = undefined;
    this.params.forEach((tensor, i) => {
      inputs[`param:${i}`] = tensor;
    });
    // Recording the step takes a turn of its own.
    await turns.giveWay();
    try {
      const { loss, grad } = await this.micro(inputs);
      this.grad = grad;
      const value = loss.data().then(([value]) => value!);
      loss.dispose();
      return this.ahead.watch(started, value);
    } finally {
      tf.dispose(own);
    }
  }

  /**
   * Clips the accumulated gradient, moves the parameters, and forgets the gradient.
   * @returns the gradient's norm before clipping. When it is not finite nothing has moved.
   */
  async update(learningRate: number): Promise<number> {
    if (!this.grad) throw new Error("update() without accumulate()");
    const scalars = adamwScalars(this.adam, learningRate, this.updates + 1);
    const inputs: NamedTensors = {
      grad: this.grad,
      decay: tf.scalar(scalars.decay),
      step_size: tf.scalar(scalars.step_size),
      root_correction: tf.scalar(scalars.root_correction),
      max_norm: tf.scalar(this.args.max_grad_norm > 0 ? this.args.max_grad_norm : 3e38),
    };
    const own = Object.values(inputs);
    this.flat ??= tf.tidy(() => flatten(this.params));
    inputs.m = this.m;
    inputs.v = this.v;
    inputs.params = this.flat;
    let outputs: NamedTensors;
    try {
      outputs = await this.optimizer(inputs);
    } finally {
      tf.dispose(own);
      this.grad = undefined;
    }
    const { m, v, params } = outputs as { m: tf.Tensor1D; v: tf.Tensor1D; params: tf.Tensor1D };
    // While they are computed.
    const split = this.split(params);
    let norm = Number.NaN;
    try {
      norm = (await outputs.norm!.data())[0]!;
    } finally {
      outputs.norm!.dispose();
      if (!Number.isFinite(norm)) tf.dispose([m, v, params, ...split]);
    }
    if (Number.isFinite(norm)) {
      tf.dispose([this.m, this.v, this.flat, ...this.params]);
      this.m = m;
      this.v = v;
      this.flat = params;
      this.params = split;
      this.updates += 1;
      this.synced = false;
    }
    return norm;
  }

  /** Forgets a gradient that shall not be applied. */
  dropGradient(): void {
    this.grad?.dispose();
    this.grad = undefined;
  }

  /** Gives the model the parameters of the last update. */
  syncModel(): void {
    if (this.synced) return;
    this.model.setTrainableParameters(this.byName((tensor) => tf.clone(tensor)));
    this.synced = true;
  }

  /** Takes the model's parameters instead of the own ones, after somebody has changed them. */
  takeFromModel(): void {
    tf.dispose([this.flat ?? [], this.params]);
    this.flat = undefined;
    this.params = Object.values(this.model.trainableParameters()).map((tensor) => tf.clone(tensor));
    this.synced = true;
  }

  async state(): Promise<OptimizerState> {
    const [exp_avg, exp_avg_sq] = await Promise.all([this.m.data(), this.v.data()]);
    return {
      step: this.updates,
      layout: this.layout,
      exp_avg: exp_avg as Float32Array,
      exp_avg_sq: exp_avg_sq as Float32Array,
    };
  }

  /** @throws Error when the state belongs to other parameters */
  loadState(state: OptimizerState): void {
    if (JSON.stringify(state.layout) !== JSON.stringify(this.layout)) {
      throw new Error(
        "The saved optimizer state belongs to other parameters than the model's " +
          `(${state.layout.length} tensors there, ${this.layout.length} here): was the adapter's configuration changed?`,
      );
    }
    tf.dispose([this.m, this.v]);
    this.m = tf.tensor1d(state.exp_avg);
    this.v = tf.tensor1d(state.exp_avg_sq);
    this.updates = state.step;
  }

  /** Puts the optimizer back to before its first step. */
  forgetMoments(): void {
    tf.dispose([this.m, this.v]);
    this.m = tf.zeros([this.size]);
    this.v = tf.zeros([this.size]);
    this.updates = 0;
  }

  dispose(): void {
    this.dropGradient();
    tf.dispose([this.zero, this.m, this.v, this.flat ?? [], this.params]);
    this.decayMask?.dispose();
    this.micro.dispose();
    this.optimizer.dispose();
  }

  /** Uniform noise of size alpha / sqrt(seq * hidden), with the collator's padded length (`transformers` does so too). */
  private neftuneNoise(batch: Batch, paddedLength: number, draw: number): tf.Tensor3D {
    const shape: [number, number, number] = [
      batch.input_ids.length,
      batch.input_ids[0]!.length,
      this.model.config.hidden_size,
    ];
    const size = this.args.neftune_noise_alpha! / Math.sqrt(paddedLength * shape[2]);
    const key = { seed: this.args.seed, name: "neftune", step: draw };
    const noise = randomUniform(key, shape[0] * shape[1] * shape[2]).map((unit) => (2 * unit - 1) * size);
    return tf.tensor3d(noise, shape);
  }

  private microStep(inputs: NamedTensors): { loss: tf.Scalar; grad: tf.Tensor1D } {
    const dropout: NamedTensors = {};
    for (const [key, tensor] of Object.entries(inputs)) {
      if (key.startsWith("dropout:")) dropout[key.slice("dropout:".length)] = tensor;
    }
    const { input_ids, attention_mask, labels, position_ids } = inputs as unknown as ModelInputs;
    const batchInputs = { input_ids, attention_mask, labels: labels!, ...(position_ids && { position_ids }) };
    const options: StepOptions = {
      dropout,
      gradient_checkpointing: this.args.gradient_checkpointing,
      label_smoothing_factor: this.args.label_smoothing_factor,
      embedding_noise: inputs.embedding_noise as tf.Tensor3D | undefined,
    };
    const loss = (...params: tf.Tensor[]) => {
      const byName = Object.fromEntries(this.layout.map(({ name }, i) => [name, params[i]!]));
      return tf.mul(this.model.lossSum(byName, batchInputs, options), inputs.scale!) as tf.Scalar;
    };
    const params = this.layout.map((_, i) => inputs[`param:${i}`]!);
    const { value, grads } = tf.valueAndGrads(loss)(params);
    return { loss: value as tf.Scalar, grad: tf.add(inputs.grad!, flatten(grads)) as tf.Tensor1D };
  }

  private optimizerStep(inputs: NamedTensors): NamedTensors {
    const grad = inputs.grad as tf.Tensor1D;
    const norm = tf.sqrt(tf.sum(tf.square(grad)));
    // torch's clip_grad_norm_ multiplies always, by at most 1.
    const clip = tf.minimum(tf.div(inputs.max_norm!, tf.add(norm, 1e-6)), 1);
    const { params, m, v } = inputs as { params: tf.Tensor1D; m: tf.Tensor1D; v: tf.Tensor1D };
    const moved = adamw(
      { params, m, v, grad: tf.mul(grad, clip) as tf.Tensor1D },
      {
        decay: inputs.decay as tf.Scalar,
        step_size: inputs.step_size as tf.Scalar,
        root_correction: inputs.root_correction as tf.Scalar,
      },
      this.adam,
      this.decayMask,
    );
    return { norm, ...moved };
  }

  private split(flat: tf.Tensor1D): tf.Tensor[] {
    return this.layout.map(({ shape, offset }) =>
      tf.tidy(() => tf.reshape(tf.slice(flat, [offset], [tf.util.sizeFromShape(shape)]), shape)),
    );
  }

  private byName(map: (tensor: tf.Tensor) => tf.Tensor): NamedTensors {
    return Object.fromEntries(this.layout.map(({ name }, i) => [name, map(this.params[i]!)]));
  }
}

function layOut(named: [string, tf.Tensor][]): ParameterSlot[] {
  let offset = 0;
  return named.map(([name, tensor]) => {
    const slot = { name, shape: [...tensor.shape], offset };
    offset += tensor.size;
    return slot;
  });
}

function maskOfDecay(layout: ParameterSlot[], size: number): tf.Tensor1D | undefined {
  if (layout.every(({ name }) => decays(name))) return undefined;
  const mask = new Float32Array(size).fill(1);
  layout.forEach(({ name, offset }, i) => {
    if (!decays(name)) mask.fill(0, offset, layout[i + 1]?.offset ?? size);
  });
  return tf.tensor1d(mask);
}

function flatten(tensors: tf.Tensor[]): tf.Tensor1D {
  return tf.concat1d(tensors.map((tensor) => tf.reshape(tensor, [-1]) as tf.Tensor1D));
}

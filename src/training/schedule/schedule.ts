import type { SchedulerType } from "../arguments/fields.js";
import { GreedyLR } from "./greedy.js";
import { ReduceLROnPlateau } from "./plateau.js";
import type { LRScheduler, SchedulerState } from "./scheduler.js";
import { SchedulerError } from "./scheduler-error.js";

export interface SchedulerOptions {
  learning_rate: number;
  warmup_steps: number;
  /** Optimizer steps in the whole run. */
  total_steps: number;
  kwargs?: Record<string, unknown> | null;
}

/**
 * `transformers.get_scheduler`: the schedule of that name.
 * @throws SchedulerError for arguments that it does not take, lacks, or that make no schedule.
 */
export function createScheduler(type: SchedulerType, options: SchedulerOptions): LRScheduler {
  if (type === "reduce_lr_on_plateau") return new ReduceLROnPlateau(options.learning_rate, options.kwargs ?? {});
  if (type === "greedy") return new GreedyLR(options.learning_rate, options.kwargs ?? {});
  return new LambdaScheduler(options.learning_rate, lambdas[type](options, reader(type, options.kwargs ?? {})));
}

/** torch's `LambdaLR`: the base rate times a factor of the step. */
class LambdaScheduler implements LRScheduler {
  private lastEpoch = 0;
  private lastLr: number;

  constructor(
    private baseLr: number,
    private readonly factor: (step: number) => number,
  ) {
    this.lastLr = baseLr * factor(0);
  }

  getLastLr(): number {
    return this.lastLr;
  }

  step(): void {
    this.lastEpoch += 1;
    this.lastLr = this.baseLr * this.factor(this.lastEpoch);
  }

  stateDict(): SchedulerState {
    return {
      base_lrs: [this.baseLr],
      last_epoch: this.lastEpoch,
      _step_count: this.lastEpoch + 1,
      _last_lr: [this.lastLr],
    };
  }

  /** As in torch: base rate and last rate come from the state, the factor from the new settings. */
  loadStateDict(state: SchedulerState): void {
    this.baseLr = (state.base_lrs as number[])[0]!;
    this.lastLr = (state._last_lr as number[])[0]!;
    this.lastEpoch = state.last_epoch as number;
  }
}

type Kwargs = ReturnType<typeof reader>;
type Factor = (options: SchedulerOptions, kwargs: Kwargs) => (step: number) => number;

const lambdas: Record<Exclude<SchedulerType, "reduce_lr_on_plateau" | "greedy">, Factor> = {
  // transformers ignores warm-up and kwargs here, and kwargs alone for constant_with_warmup.
  constant: () => () => 1,
  constant_with_warmup: ({ warmup_steps: w }) => warm(w, () => 1),
  linear: ({ warmup_steps: w, total_steps: t }, kwargs) => {
    kwargs.done();
    return warm(w, (s) => Math.max(0, (t - s) / Math.max(1, t - w)));
  },
  cosine: ({ warmup_steps: w, total_steps: t }, kwargs) => {
    const cycles = kwargs.number("num_cycles", 0.5);
    kwargs.done();
    return warm(w, (s) => Math.max(0, cosine(cycles * 2 * progress(s, w, t))));
  },
  cosine_with_restarts: ({ warmup_steps: w, total_steps: t }, kwargs) => {
    const cycles = kwargs.number("num_cycles", 1);
    kwargs.done();
    return warm(w, (s) => {
      const p = progress(s, w, t);
      return p >= 1 ? 0 : Math.max(0, cosine((cycles * p) % 1));
    });
  },
  polynomial: ({ learning_rate: lr, warmup_steps: w, total_steps: t }, kwargs) => {
    const end = kwargs.number("lr_end", 1e-7);
    const power = kwargs.number("power", 1);
    kwargs.done();
    if (!(lr > end))
      throw new SchedulerError(`polynomial: lr_end (${end}) must be smaller than learning_rate (${lr}).`);
    // With even more warm-up transformers never gets out of it; with exactly as much it divides by zero.
    if (t === w) throw new SchedulerError(`polynomial: no steps are left after ${w} steps of warm-up (${t} in all).`);
    return warm(w, (s) => (s > t ? end / lr : ((lr - end) * (1 - (s - w) / (t - w)) ** power + end) / lr));
  },
  inverse_sqrt: ({ warmup_steps: w }, kwargs) => {
    const timescale = kwargs.number("timescale", w || 10_000);
    kwargs.done();
    if (!(timescale > 0)) throw new SchedulerError(`inverse_sqrt: timescale must be above 0, but is ${timescale}.`);
    return warm(w, (s) => 1 / Math.sqrt((s + timescale - w) / timescale));
  },
  cosine_with_min_lr: (options, kwargs) => {
    const { warmup_steps: w, total_steps: t } = options;
    const floor = minRate(options, kwargs);
    const cycles = kwargs.number("num_cycles", 0.5);
    kwargs.done();
    return warm(w, (s) => Math.max(0, cosine(cycles * 2 * progress(s, w, t)) * (1 - floor) + floor));
  },
  cosine_warmup_with_min_lr: (options, kwargs) => {
    const { warmup_steps: w, total_steps: t } = options;
    const floor = minRate(options, kwargs);
    const cycles = kwargs.number("num_cycles", 0.5);
    const start = kwargs.number("warmup_lr_rate", null);
    kwargs.done();
    return (s) => {
      if (s < w) return start === null ? (s + 1) / Math.max(1, w) : start + ((1 - start) * s) / Math.max(1, w - 1);
      return Math.max(0, cosine(cycles * 2 * ((s - w + 1) / Math.max(1, t - w))) * (1 - floor) + floor);
    };
  },
  warmup_stable_decay: (options, kwargs) => warmupStableDecay(options, kwargs),
};

function warmupStableDecay({ warmup_steps: w, total_steps: t }: SchedulerOptions, kwargs: Kwargs) {
  const decay = kwargs.number("num_decay_steps");
  const stable = kwargs.number("num_stable_steps", t - w - decay);
  const warmupShape = kwargs.choice("warmup_type", "linear", ["linear", "cosine", "1-sqrt"]);
  const decayShape = kwargs.choice("decay_type", "cosine", ["linear", "cosine", "1-sqrt"]);
  const floor = kwargs.number("min_lr_ratio", 0);
  const cycles = kwargs.number("num_cycles", 0.5);
  kwargs.done();
  const rise = {
    linear: (p: number) => p,
    cosine: (p: number) => cosine(1 - p),
    "1-sqrt": (p: number) => 1 - Math.sqrt(1 - p),
  };
  const fall = {
    linear: (p: number) => 1 - p,
    cosine: (p: number) => cosine(cycles * 2 * p),
    "1-sqrt": (p: number) => 1 - Math.sqrt(p),
  };
  return (s: number) => {
    if (s < w) return rise[warmupShape](s / Math.max(1, w)) * (1 - floor) + floor;
    if (s < w + stable) return 1;
    if (s >= w + stable + decay) return floor;
    return Math.max(0, fall[decayShape]((s - w - stable) / Math.max(1, decay)) * (1 - floor) + floor);
  };
}

function warm(steps: number, after: (step: number) => number): (step: number) => number {
  return (step) => (step < steps ? step / Math.max(1, steps) : after(step));
}

function progress(step: number, warmup: number, total: number): number {
  return (step - warmup) / Math.max(1, total - warmup);
}

/** From 1 down to 0 over `half` = 0 … 1. */
function cosine(half: number): number {
  return 0.5 * (1 + Math.cos(Math.PI * half));
}

function minRate({ learning_rate }: SchedulerOptions, kwargs: Kwargs): number {
  const min = kwargs.number("min_lr", null);
  const rate = kwargs.number("min_lr_rate", null);
  if (min !== null && rate !== null) throw new SchedulerError("Only one of min_lr and min_lr_rate should be set.");
  if (min === null && rate === null) {
    throw new SchedulerError("This schedule needs one of min_lr and min_lr_rate in lr_scheduler_kwargs.");
  }
  return rate ?? min! / learning_rate;
}

/** Reads a schedule's arguments one by one; `done` refuses what is left. */
function reader(type: SchedulerType, given: Record<string, unknown>) {
  const rest = new Map(Object.entries(given));
  const take = (name: string) => {
    const value = rest.get(name);
    rest.delete(name);
    return value ?? undefined;
  };
  function number(name: string): number;
  function number<D extends number | null>(name: string, fallback: D): number | (D extends null ? null : never);
  function number(name: string, fallback?: number | null): number | null {
    const value = take(name);
    if (value === undefined) {
      if (fallback === undefined) throw new SchedulerError(`${type} needs ${name} in lr_scheduler_kwargs.`);
      return fallback;
    }
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw new SchedulerError(`${type}: ${name} must be a finite number, but is ${JSON.stringify(value)}.`);
    }
    return value;
  }
  return {
    number,
    choice<C extends string>(name: string, fallback: C, all: readonly C[]): C {
      const value = (take(name) ?? fallback) as C;
      if (!all.includes(value))
        throw new SchedulerError(`${type}: ${name} must be one of ${all.join(", ")}, but is ${value}.`);
      return value;
    },
    done(): void {
      const [unknown] = rest.keys();
      if (unknown !== undefined)
        throw new SchedulerError(`${type} takes no argument ${unknown} in lr_scheduler_kwargs.`);
    },
  };
}

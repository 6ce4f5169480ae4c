import assert from "node:assert/strict";
import { test } from "node:test";
import { TrainingArguments, TrainingArgumentsError, type TrainingArgumentsOptions } from "../../src/index.js";
import { referenceJson } from "../data/reference.js";

/** What the source notebook of the tutorial sets, in the words of its era. */
const notebook: TrainingArgumentsOptions = {
  output_dir: "./model",
  evaluation_strategy: "steps",
  eval_steps: 20,
  save_strategy: "steps",
  save_steps: 20,
  save_total_limit: 3,
  logging_steps: 50,
  num_train_epochs: 30,
  per_device_train_batch_size: 4,
  per_device_eval_batch_size: 1,
  gradient_accumulation_steps: 8,
  learning_rate: 8e-5,
  lr_scheduler_type: "cosine_with_restarts",
  warmup_ratio: 0.25,
  weight_decay: 0.06,
  max_grad_norm: 0.5,
  fp16: true,
  optim: "adamw_torch_fused",
  eval_accumulation_steps: 4,
  load_best_model_at_end: true,
  metric_for_best_model: "combined_score",
  report_to: [],
  no_cuda: false,
  gradient_checkpointing: true,
};

test("the notebook's arguments are taken under their old names", () => {
  const args = new TrainingArguments(notebook);
  assert.equal(args.eval_strategy, "steps");
  assert.equal(args.warmup_steps, 0.25);
  assert.equal(args.getWarmupSteps(90), 23);
  assert.equal(args.do_eval, true);
  assert.equal(args.greater_is_better, true);
  assert.equal(args.use_cpu, false);
});

test("toDict has transformers' keys in its order, and hides tokens even when there are none", () => {
  const dict = new TrainingArguments({ ...notebook, hub_token: "hf_secret" }).toDict();
  assert.equal(Object.keys(dict).length, 112);
  assert.deepEqual(Object.keys(dict).slice(0, 5), [
    "output_dir",
    "per_device_train_batch_size",
    "num_train_epochs",
    "max_steps",
    "learning_rate",
  ]);
  assert.equal(Object.keys(dict).at(-1), "local_rank");
  assert.equal(dict.hub_token, "<HUB_TOKEN>");
  assert.equal(new TrainingArguments().toDict().hub_token, "<HUB_TOKEN>");
  assert.deepEqual(dict.report_to, []);
});

test("toDict is what transformers writes, value for value: 5.18, and 4.57 where compat says so", () => {
  interface Figure {
    compat: "hf5" | "hf4.57";
    options: TrainingArgumentsOptions;
    dict: Record<string, unknown>;
  }
  for (const { compat, options, dict } of referenceJson<Figure[]>("training/arguments.json")) {
    const { compat: _, ...own } = new TrainingArguments({ ...options, compat }).toDict();
    if (dict.logging_dir === "(by time and host)") {
      assert.match(String(own.logging_dir), /^trainer_output\/runs\/[A-Z][a-z]{2}\d\d_\d\d-\d\d-\d\d_./);
      own.logging_dir = dict.logging_dir;
    }
    assert.deepEqual(Object.keys(own), Object.keys(dict));
    assert.deepEqual(own, dict);
  }
});

for (const compat of ["hf5", "hf4.57", "hf4.45"] as const) {
  test(`what toDict wrote makes the same arguments again (${compat})`, () => {
    const args = new TrainingArguments({ ...notebook, compat, group_by_length: true, max_train_seconds: 60 });
    const again = new TrainingArguments(JSON.parse(JSON.stringify(args.toDict())));
    assert.deepEqual(again, args);
    assert.deepEqual(again.toDict(), args.toDict());
    assert.equal(again.getWarmupSteps(90), 23);
  });
}

test("4.45 keeps its own names beside the new ones", () => {
  const dict = new TrainingArguments({ ...notebook, compat: "hf4.45" }).toDict();
  assert.equal(dict.evaluation_strategy, "steps");
  assert.equal(dict.eval_strategy, "steps");
  assert.equal(dict.warmup_ratio, 0.25);
  assert.equal(dict.warmup_steps, 0);
  assert.deepEqual(dict.lr_scheduler_kwargs, {});
  assert.equal(dict.push_to_hub_token, "<PUSH_TO_HUB_TOKEN>");
  assert.ok(!("project" in dict));
});

test("fields follow from one another as in transformers", () => {
  const metric = (name: string) => new TrainingArguments({ metric_for_best_model: name }).greater_is_better;
  assert.equal(metric("eval_loss"), false);
  assert.equal(metric("combined_score"), true);
  // Surprising, but so it is there.
  assert.equal(metric("perplexity"), true);
  assert.equal(new TrainingArguments({ eval_strategy: "steps", logging_steps: 7 }).eval_steps, 7);
  const best = { load_best_model_at_end: true, eval_strategy: "epoch", save_strategy: "epoch" } as const;
  assert.equal(new TrainingArguments(best).metric_for_best_model, "loss");
  assert.equal(new TrainingArguments({ output_dir: null }).output_dir, "trainer_output");
  assert.deepEqual(new TrainingArguments({ report_to: "none" }).report_to, []);
  assert.equal(new TrainingArguments({ group_by_length: true }).train_sampling_strategy, "group_by_length");
  assert.equal(new TrainingArguments({ no_cuda: true }).use_cpu, true);
  assert.equal(new TrainingArguments({ include_num_input_tokens_seen: true }).include_num_input_tokens_seen, "all");
  const kwargs = '{"num_cycles": "2"}' as unknown as Record<string, unknown>;
  assert.deepEqual(new TrainingArguments({ lr_scheduler_kwargs: kwargs }).lr_scheduler_kwargs, { num_cycles: 2 });
});

test("warm-up shares are rounded up on the double product, like in Python", () => {
  assert.equal(new TrainingArguments({ warmup_steps: 0.07 }).getWarmupSteps(100), 8);
  assert.equal(new TrainingArguments({ warmup_ratio: 1 }).getWarmupSteps(100), 100);
  assert.equal(new TrainingArguments({ warmup_ratio: 0.5, warmup_steps: 3 }).getWarmupSteps(100), 3);
  assert.equal(new TrainingArguments({ warmup_steps: 2.9 }).getWarmupSteps(100), 2);
});

const wrong: [TrainingArgumentsOptions | Record<string, unknown>, RegExp][] = [
  [{ learning_rat: 1e-4 }, /no field learning_rat; did you mean learning_rate\?/],
  [{ evaluation_stratgy: "no" }, /did you mean evaluation_strategy\?/],
  [{ eval_strategy: "step" }, /"step" is not a valid eval_strategy; please select one of "no", "steps", "epoch"/],
  [{ logging_steps: 0 }, /requires non-zero logging_steps/],
  [{ logging_steps: 2.5 }, /logging_steps must be an integer if bigger than 1/],
  [{ eval_strategy: "steps", logging_strategy: "no", logging_steps: 0 }, /either non-zero eval_steps or logging_steps/],
  [
    { load_best_model_at_end: true, eval_strategy: "no" },
    /requires the save and eval strategy to match[\s\S]*no[\s\S]*steps/,
  ],
  [
    { load_best_model_at_end: true, eval_strategy: "steps", eval_steps: 30, save_steps: 50 },
    /found 50, which is not a round multiple of 30/,
  ],
  [
    { load_best_model_at_end: true, eval_strategy: "steps", eval_steps: 0.1, save_steps: 50 },
    /mixing ratio and absolute/,
  ],
  [
    { load_best_model_at_end: true, eval_strategy: "steps", eval_steps: 0.2, save_steps: 0.3 },
    /found 0.3, which is not a multiple of 0.2/,
  ],
  [{ fp16: true, bf16: true }, /At most one of fp16 and bf16/],
  [{ lr_scheduler_type: "reduce_lr_on_plateau" }, /requires an eval strategy/],
  [{ lr_scheduler_type: "cosin" }, /not a valid lr_scheduler_type/],
  [{ optim: "adafactor" }, /not computed here/],
  [{ warmup_steps: -1 }, /warmup_steps/],
  [{ warmup_ratio: 1.5 }, /warmup_ratio must lie in the range \[0, 1\]/],
  [{ dataloader_prefetch_factor: 2 }, /dataloader_prefetch_factor/],
  [{ torch_empty_cache_steps: 0 }, /torch_empty_cache_steps/],
  [{ learning_rate: "8e-5" }, /learning_rate must be a number, but is "8e-5"/],
  [{ learning_rate: Number.NaN }, /learning_rate must be a number/],
  [{ per_device_train_batch_size: 0 }, /per_device_train_batch_size must be an integer of at least 1/],
  [{ max_steps: 0 }, /max_steps must be positive/],
  [{ fp16: "yes" }, /fp16 must be true or false/],
];

for (const [options, message] of wrong) {
  test(`${JSON.stringify(options)} is refused`, () => {
    assert.throws(
      () => new TrainingArguments(options as TrainingArgumentsOptions),
      (error: Error) => error instanceof TrainingArgumentsError && message.test(error.message),
    );
  });
}

test("ratio steps that are multiples only in decimal are accepted", () => {
  const args = { load_best_model_at_end: true, eval_strategy: "steps", eval_steps: 0.1, save_steps: 0.3 } as const;
  assert.equal(new TrainingArguments(args).save_steps, 0.3);
});

/** The public surface of kaisetsu, and nothing else. Names follow Hugging Face's; see README.md for a tour. */

// checkpoint
export { CheckpointError, OutputDirInUseError } from "./checkpoint/errors.js";
export { checkpointGuard, type GuardDecision, type GuardOptions } from "./checkpoint/guard.js";
export { saveTrainingConfig, type TrainingConfigParts } from "./checkpoint/training-config.js";
// data
export {
  DataCollatorForLanguageModeling,
  type LanguageModelingOptions,
  type MaskingTokenizer,
} from "./data/collators/collator.js";
export {
  type CompletionOnlyOptions,
  DataCollatorForCompletionOnlyLM,
} from "./data/collators/collator-completion-only.js";
export {
  DataCollatorWithFlattening,
  type FlatBatch,
  type FlatteningOptions,
} from "./data/collators/collator-flattening.js";
export { DataCollatorForSeq2Seq, type Seq2SeqOptions } from "./data/collators/collator-seq2seq.js";
export type { MaskingDraws, MaskingOptions } from "./data/collators/mlm.js";
export { type PackedRow, type PackingOptions, type PackingStrategy, packDataset } from "./data/collators/packing.js";
export type { PaddingTokenizer } from "./data/collators/pad.js";
export { Dataset } from "./data/dataset.js";
export type { DialogueRow } from "./data/dialogues.js";
export { ChatTemplateError, CollatorError, DatasetError, TokenizerError } from "./data/errors.js";
export { epochOrder, lengthGroupedEpochOrder, lengthGroupedOrder } from "./data/order.js";
export { type PermutationGenerator, type PermutationOptions, permutation } from "./data/random/permutation.js";
export { type RandomKey, randomDropoutMask, randomNormal, randomUniform, randomWords } from "./data/random/random.js";
export { TorchGenerator } from "./data/random/torch-random.js";
export type { SplitOptions } from "./data/split.js";
export { type TokenizeOptions, tokenizeDialogues } from "./data/tokenizer/tokenize.js";
export {
  AutoTokenizer,
  type ChatTemplateOptions,
  type DecodeOptions,
  type EncodeOptions,
  type PaddingSide,
  PreTrainedTokenizer,
} from "./data/tokenizer/tokenizer.js";
export type { Batch, Message, Role, TokenRow } from "./data/types.js";
// engine
export { EngineError, EngineUnavailableError } from "./engine/errors.js";
export { betterEngines, currentEngine, ensureEngine, useEngine } from "./engine/index.js";
export type { Engine, EngineName, EngineOptions, JitFunction, JitOptions } from "./engine/types.js";
// explain
export { explain } from "./explain/explain.js";
// model
export { AutoModelForCausalLM, type FromPretrainedOptions } from "./model/auto-model.js";
export { PreTrainedModel } from "./model/decoder/base-model.js";
export { modelInputs } from "./model/decoder/inputs.js";
export { ModelError, PretrainedFilesError, SafetensorsError, UnsupportedModelError } from "./model/errors.js";
export type { HubOptions } from "./model/files/hub.js";
export type { SaveOptions } from "./model/files/save-pretrained.js";
export { BitsAndBytesConfig, type BitsAndBytesFields } from "./model/four-bit/bits-and-bytes.js";
export { AutoPeftModelForCausalLM } from "./model/peft/auto-peft.js";
export { LoraConfig, type LoraConfigFields } from "./model/peft/lora-config.js";
export { getPeftModel, PeftModel } from "./model/peft/peft-model.js";
export type {
  CausalLM,
  DropoutMask,
  GenerationOptions,
  ModelConfig,
  ModelInputs,
  NamedTensors,
  StepOptions,
} from "./model/types.js";
// notebook
export type { ChartSeries, ChartSpec } from "./notebook/chart.js";
export { type Display, display, type MimeBundle, newDisplay } from "./notebook/display.js";
export type { NotebookHost } from "./notebook/host.js";
// training
export { TrainingArguments } from "./training/arguments/arguments.js";
export { TrainingArgumentsError } from "./training/arguments/arguments-error.js";
export type { TrainingArgumentsOptions, TrainingFields } from "./training/arguments/fields.js";
export type { Collator, RowSource } from "./training/batches.js";
export {
  type CallbackContext,
  DefaultFlowCallback,
  EarlyStoppingCallback,
  type TrainerCallback,
} from "./training/callbacks.js";
export { HandoffError, NonFiniteError, ResumeError, TrainingInterruptedError } from "./training/errors.js";
export { type Handoff, type HandoffOptions, handOff } from "./training/handoff.js";
export { type DecodingTokenizer, socraticMetrics } from "./training/metrics/metrics.js";
export { type SocraticScores, scoreSocraticReply } from "./training/metrics/socratic-score.js";
export { PrinterCallback } from "./training/report/progress.js";
export type { ComputeMetrics, EvalPrediction } from "./training/run/evaluation.js";
export { SchedulerError } from "./training/schedule/scheduler-error.js";
export { type LogEntry, TrainerControl, TrainerState } from "./training/state.js";
export { Trainer, type TrainerOptions, type TrainOptions, type TrainOutput } from "./training/trainer.js";

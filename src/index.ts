/** The public surface of kaisetsu, and nothing else. Names follow Hugging Face's; see README.md for a tour. */

// data
export type { Batch, Message, Role, TokenRow } from "./data/types.js";
// engine
export type { Engine, EngineName } from "./engine/types.js";
// model
export type { CausalLM, GenerationOptions, ModelConfig, ModelInputs, NamedTensors } from "./model/types.js";
// notebook
export type { NotebookHost } from "./notebook/host.js";

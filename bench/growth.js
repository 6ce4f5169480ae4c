/**
 * How a training step's time and memory grow with layers, width, sequence and vocabulary: from the small config, one of them
 * at a time, doubled twice. Each point is one process (train-step.js), LoRA of rank 8 on all projections, 2 rows.
 *
 *   node bench/growth.js [--engine onnx] [--steps 6] [--only width] [--python PATH/TO/python]
 *
 *   --only NAMES   some of layers, width, sequence, vocabulary
 *   --python PATH  an interpreter with torch, transformers and peft: each point is measured in PyTorch too, right after
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);
const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "onnx" },
    steps: { type: "string", default: "6" },
    only: { type: "string" },
    python: { type: "string" },
  },
});
const here = dirname(fileURLToPath(import.meta.url));
const small = JSON.parse(readFileSync(join(here, "configs/small.json"), "utf8"));
const folder = mkdtempSync(join(tmpdir(), "kaisetsu-bench-"));
const seq = 128;
/** What is multiplied by `by`. */
const ways = {
  layers: (by) => [{ num_hidden_layers: by * small.num_hidden_layers }, seq],
  width: (by) => [
    {
      hidden_size: by * small.hidden_size,
      intermediate_size: by * small.intermediate_size,
      num_attention_heads: by * small.num_attention_heads,
      num_key_value_heads: by * small.num_key_value_heads,
    },
    seq,
  ],
  sequence: (by) => [{}, by * seq],
  vocabulary: (by) => [{ vocab_size: by * small.vocab_size }, seq],
};
console.log("| grows      | x1 | x2 | x4 |");
console.log("| ---------- | -- | -- | -- |");
for (const name of values.only?.split(",") ?? Object.keys(ways)) {
  const cells = [1, 2, 4].map((by) => measure(...ways[name](by)));
  console.log(`| ${name.padEnd(10)} | ${cells.join(" | ")} |`);
}
rmSync(folder, { recursive: true });

function measure(changes, length) {
  const config = join(folder, "config.json");
  const text = JSON.stringify({ ...small, ...changes, max_position_embeddings: 2048 });
  // transformers refuses a whole number where it expects a float.
  writeFileSync(config, text.replace(/(softcapping":\d+)(?=[,}])/g, "$1.0"));
  const args = ["--config", config, "--batch", "2", "--seq", `${length}`, "--steps", values.steps, "--lora-rank", "8"];
  const ours = run(process.execPath, [join(here, "train-step.js"), ...args, "--engine", values.engine, "--json"]);
  if (!values.python) return ours;
  return `${ours}; torch ${run(values.python, [join(here, "train_step.py"), ...args, "--json"])}`;
}

function run(program, args) {
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const { ms_median, ms_first, peak_rss_mb } = JSON.parse(stdout.trim().split("\n").at(-1));
  return `${ms_median} ms (first ${ms_first}), ${peak_rss_mb} MB`;
}

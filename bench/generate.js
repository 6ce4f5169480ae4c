/**
 * Greedy generation with a key-value cache: `generate` here, and transformers' on the same weights and prompt, in turn.
 *
 *   node bench/generate.js [--config bench/configs/small.json] [--prompt 64] [--tokens 128] [--batch 1] [--rounds 3]
 *                          [--python PATH]
 *
 *   --config FILE   a Hugging Face config.json; weights are random
 *   --prompt P      tokens of the prompt
 *   --tokens N      tokens to make
 *   --batch B       so many prompts at once
 *   --rounds R      each program makes them R times and reports the median
 *
 * PATH is an interpreter with torch and transformers. Both must make the same tokens, or the times mean nothing.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { AutoModelForCausalLM, useEngine } from "../dist/src/index.js";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    config: { type: "string", default: join(here, "configs/small.json") },
    prompt: { type: "string", default: "64" },
    tokens: { type: "string", default: "128" },
    batch: { type: "string", default: "1" },
    rounds: { type: "string", default: "3" },
    engine: { type: "string", default: "onnx" },
    python: { type: "string" },
  },
});
const config = JSON.parse(readFileSync(values.config, "utf8"));
const prompts = Array.from({ length: Number(values.batch) }, (_, row) =>
  Array.from({ length: Number(values.prompt) }, (_, i) => 3 + (((i + 1) * (row + 1) * 7919) % (config.vocab_size - 3))),
);
const count = Number(values.tokens);
const folder = mkdtempSync(join(tmpdir(), "kaisetsu-bench-"));
await useEngine(values.engine);
const model = AutoModelForCausalLM.fromConfig(config, { seed: 1, dtype: "float32" });
await model.savePretrained(folder);
const rows = [["kaisetsu", await ours()]];
if (values.python) rows.push(["transformers", theirs()]);
rmSync(folder, { recursive: true });
if (rows[1] && `${rows[0][1].tokens}` !== `${rows[1][1].tokens}`) console.log("the tokens differ");
for (const [name, { ms }] of rows) {
  const ratio = (rows.at(-1)[1].ms / ms).toFixed(2);
  console.log(
    `${name}: ${ms.toFixed(0)} ms, ${((prompts.length * count * 1e3) / ms).toFixed(0)} tokens/s, ${ratio} times as fast as ${rows.at(-1)[0]}`,
  );
}
process.exit(0);

async function ours() {
  const options = { max_new_tokens: count, do_sample: false, eos_token_id: [] };
  // Traces, as the first call of any session does.
  await model.generate(prompts, options);
  const times = [];
  let tokens;
  for (let i = 0; i < Number(values.rounds); i++) {
    const start = performance.now();
    tokens = await model.generate(prompts, options);
    times.push(performance.now() - start);
  }
  return { ms: median(times), tokens };
}

function theirs() {
  const script = `
import json, statistics, sys, time, torch
from transformers import AutoModelForCausalLM
folder, prompts, count, rounds = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
model.generation_config.eos_token_id = None
ids = torch.tensor(prompts)
def run():
    with torch.no_grad():
        return model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False)
run()
times = []
for _ in range(rounds):
    start = time.perf_counter(); out = run(); times.append((time.perf_counter() - start) * 1e3)
print(json.dumps({"ms": statistics.median(times), "tokens": out.tolist()}))`;
  const args = ["-c", script, folder, JSON.stringify(prompts), `${count}`, values.rounds];
  const { stdout, stderr, status } = spawnSync(values.python, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

function median(list) {
  return list.toSorted((a, b) => a - b)[list.length >> 1];
}

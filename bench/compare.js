/**
 * Runs train-step.js and train_step.py in turn, several rounds, and prints a table of medians with ratios.
 *
 *   node bench/compare.js --config bench/configs/small.json --batch 4 --seq 128 --steps 20 --lora-rank 8 \
 *     --engines onnx,wasm --python PATH/TO/python --rounds 5
 *
 *   --engines LIST   engines of ours, separated by commas (default onnx,wasm)
 *   --torch LIST     of torch, torch-tuned, torch-compile, torch-compile-tuned (default the first two)
 *   --rounds R       processes of each, in turn (default 3)
 *   --json           an array of JSON instead of the table
 *   and the options of a step: see train-step.js --help
 *
 * --python names an interpreter with torch, transformers and peft; without it there is no PyTorch in the table.
 * `torch-tuned` gives glibc's allocator larger thresholds: the fair figure, since stock PyTorch on Linux spends much of a
 * small step in page faults. One round is one process each, so that a busy machine treats all alike.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    engines: { type: "string", default: "onnx,wasm" },
    torch: { type: "string", default: "torch,torch-tuned" },
    python: { type: "string" },
    rounds: { type: "string", default: "3" },
    config: { type: "string", default: join(here, "configs/small.json") },
    batch: { type: "string", default: "4" },
    seq: { type: "string", default: "128" },
    steps: { type: "string", default: "20" },
    "lora-rank": { type: "string" },
    target: { type: "string" },
    "gradient-checkpointing": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const step = [];
for (const name of ["config", "batch", "seq", "steps", "lora-rank", "target"]) {
  if (values[name]) step.push(`--${name}`, values[name]);
}
if (values["gradient-checkpointing"]) step.push("--gradient-checkpointing");

const malloc = {
  MALLOC_MMAP_THRESHOLD_: "4294967296",
  MALLOC_TRIM_THRESHOLD_: "4294967296",
  MALLOC_TOP_PAD_: "1073741824",
};
const saved = mkdtempSync(join(tmpdir(), "kaisetsu-bench-"));
const runners = {};
for (const name of values.engines.split(",").filter(Boolean)) {
  runners[name] = () => run(process.execPath, [join(here, "train-step.js"), ...step, "--engine", name, "--json"]);
}
if (values.python) {
  run(process.execPath, [join(here, "train-step.js"), ...step, "--steps", "1", "--engine", "wasm", "--save", saved]);
  const script = [join(here, "train_step.py"), ...step, "--load", saved, "--json"];
  const variants = {
    torch: () => run(values.python, script),
    "torch-tuned": () => run(values.python, script, malloc),
    "torch-compile": () => run(values.python, [...script, "--compile"]),
    "torch-compile-tuned": () => run(values.python, [...script, "--compile"], malloc),
  };
  for (const name of values.torch.split(",").filter(Boolean)) runners[name] = variants[name];
}

const results = Object.fromEntries(Object.keys(runners).map((name) => [name, []]));
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const [name, runner] of Object.entries(runners)) {
    const result = runner();
    results[name].push(result);
    console.error(`round ${round}: ${name} ${result.ms_median} ms, best ${result.ms_best}`);
  }
}
rmSync(saved, { recursive: true });
const rows = Object.entries(results).map(([name, list]) => summary(name, list));
if (values.json) console.log(JSON.stringify(rows));
else table(rows);

function run(program, args, env = {}) {
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ...env } });
  if (status !== 0) {
    console.error(`${program} ${args.join(" ")} failed:\n${stderr}`);
    process.exit(1);
  }
  const line = stdout.trim().split("\n").at(-1);
  return line.startsWith("{") ? JSON.parse(line) : undefined;
}

function summary(name, list) {
  const median = (key) => list.map((result) => result[key]).sort((p, q) => p - q)[list.length >> 1];
  return {
    name,
    ms_median: median("ms_median"),
    ms_best: Math.min(...list.map((result) => result.ms_best)),
    ms_first: median("ms_first"),
    tokens_per_second: median("tokens_per_second"),
    peak_rss_mb: Math.max(...list.map((result) => result.peak_rss_mb)),
    loss_first: list[0].loss_first,
    loss_last: list[0].loss_last,
  };
}

function table(rows) {
  const reference = rows.find(({ name }) => name === "torch") ?? rows[0];
  console.log(
    "| engine | ms, median | ms, best | first step, ms | tokens/s | peak MB | loss, first and last | times as fast as " +
      `${reference.name} |`,
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const row of rows) {
    const ratio = (reference.ms_median / row.ms_median).toFixed(2);
    console.log(
      `| ${row.name} | ${row.ms_median} | ${row.ms_best} | ${row.ms_first} | ${row.tokens_per_second} | ${row.peak_rss_mb} | ` +
        `${row.loss_first.toFixed(6)}, ${row.loss_last.toFixed(6)} | ${ratio} |`,
    );
  }
}

/**
 * What saving costs the tutorial's training: its own cells, up to the trainer, then runs with its checkpoints and without any,
 * in turn. Prints the time of a run's steps and evaluations, what saving adds, and how long each save kept the next step waiting.
 *
 *   node bench/saving.js [--steps 60] [--rounds 3] [--save-steps 20]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import ts from "typescript";
import { Saver } from "../dist/src/training/run/saver.js";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "60" },
    rounds: { type: "string", default: "3" },
    "save-steps": { type: "string", default: "20" },
  },
});
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tutorial = await runTutorialUpToTrainer();

const waits = [];
for (const method of ["saveCheckpoint", "settle"]) timeCalls(Saver.prototype, method, waits);

const seconds = { without: [], with: [] };
for (let round = 0; round < Number(values.rounds); round++) {
  for (const which of round % 2 ? ["with", "without"] : ["without", "with"]) {
    seconds[which].push(await trainOnce(which === "with"));
  }
}
const best = { without: Math.min(...seconds.without), with: Math.min(...seconds.with) };
const saves = waits.filter(({ method }) => method === "saveCheckpoint").map(({ ms }) => ms);
const waited = waits.reduce((sum, { ms }) => sum + ms, 0);
const trained = seconds.with.reduce((sum, one) => sum + one, 0);
console.log(
  `${values.steps} steps, evaluated every 20, saved every ${values["save-steps"]}; best of ${values.rounds}, in turn`,
);
console.log(
  `without saving ${best.without.toFixed(2)} s, with ${best.with.toFixed(2)} s: ${share(best.with / best.without - 1)} more`,
);
console.log(
  `training waited for saving ${(waited / 1000).toFixed(3)} s of ${trained.toFixed(2)} s: ${share(waited / 1000 / trained)}`,
);
console.log(`a save kept the next step waiting ${median(saves).toFixed(1)} ms (median of ${saves.length})`);

async function trainOnce(saves) {
  const { Trainer, TrainingArguments, training_args, ...parts } = tutorial;
  const output_dir = mkdtempSync(join(tmpdir(), "kaisetsu-saving-"));
  const args = new TrainingArguments({
    ...training_args.toDict(),
    output_dir,
    max_steps: Number(values.steps),
    disable_tqdm: true,
    logging_strategy: "no",
    ...(saves ? { save_steps: Number(values["save-steps"]) } : { save_strategy: "no", load_best_model_at_end: false }),
  });
  const trainer = new Trainer({ ...parts, args });
  trainer.log = async (logs) => void trainer.state.log_history.push({ ...logs, step: trainer.state.global_step });
  const started = performance.now();
  await trainer.train();
  rmSync(output_dir, { recursive: true });
  return (performance.now() - started) / 1000;
}

/** The cells as one module, without those that only talk to the model. */
async function runTutorialUpToTrainer() {
  const { cells } = JSON.parse(readFileSync(join(root, "notebooks/socratic-training.ipynb"), "utf8"));
  const sources = cells.filter((cell) => cell.cell_type === "code").map((cell) => [].concat(cell.source).join(""));
  const end = sources.findIndex((source) => source.includes("checkpointGuard("));
  const wanted = sources.slice(0, end).filter((source) => !source.includes("await ask("));
  const names =
    "model, train_dataset, eval_dataset, data_collator, compute_metrics, training_args, Trainer, TrainingArguments";
  const code = `${wanted.join("\n")}\nexport { ${names} };\nexport { tokenizer as processing_class };\n`;
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  process.chdir(join(root, "notebooks"));
  // Inside the package, so that it finds the name `kaisetsu`.
  const file = join(root, "dist", `tutorial-${process.pid}.mjs`);
  writeFileSync(file, outputText);
  try {
    return { ...(await import(pathToFileURL(file))) };
  } finally {
    rmSync(file);
  }
}

function timeCalls(owner, method, into) {
  const original = owner[method];
  if (!original) return;
  owner[method] = async function (...inputs) {
    const started = performance.now();
    try {
      return await original.apply(this, inputs);
    } finally {
      into.push({ method, ms: performance.now() - started });
    }
  };
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function share(part) {
  return `${(100 * part).toFixed(2)} %`;
}

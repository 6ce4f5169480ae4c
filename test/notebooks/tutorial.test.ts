import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readNotebook } from "../../src/notebook/document.js";
import { type Cell, type CodeCell, isCode, tagsOf } from "../../src/notebook/nbformat.js";
import { checkPanels } from "../../src/notebook/panels.js";

const root = process.cwd();
const path = join(root, "notebooks/socratic-training.ipynb");
const tutorial = readNotebook(path);
const scratch = mkdtempSync(join(tmpdir(), "kaisetsu-tutorial-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

test("every code cell has its explanation right below, and every explanation is a sound panel", () => {
  const { cells } = tutorial;
  const bare = cells.filter((cell, i) => isCode(cell) && !isExplanation(cells[i + 1])).map(({ id }) => id);
  assert.deepEqual(bare, []);
  assert.deepEqual(checkPanels(tutorial), []);
});

test("it asks for our kernel, keeps no outputs, and its first code cell holds the parameters", () => {
  assert.equal(tutorial.metadata.kernelspec?.name, "kaisetsu");
  const code = tutorial.cells.filter(isCode);
  assert.deepEqual(
    code.filter(({ outputs }) => outputs.length > 0).map(({ id }) => id),
    [],
  );
  assert.ok(tagsOf(code[0]!).includes("parameters"));
  for (const name of ["data_file", "model_dir", "output_dir", "num_train_epochs", "max_steps", "seed"]) {
    assert.match(code[0]!.source, new RegExp(`^let ${name} = `, "m"));
  }
});

test("killed before it saves the model, it saves it in the next run, without training again; a third run protects it", () => {
  const rows = readFileSync(join(root, "notebooks/data/socratic-dialogues.jsonl"), "utf8").split("\n").slice(0, 12);
  writeFileSync(join(scratch, "dialogues.jsonl"), rows.join("\n"));
  const model = join(scratch, "model");
  const adapter = join(model, "adapter_model.safetensors");
  const killed = run({ NODE_OPTIONS: `--import ${new URL("./die-after-training.js", import.meta.url)}` });
  assert.notEqual(killed.status, 0);
  assert.ok(existsSync(join(model, "trainer_state.json")) && !existsSync(adapter), killed.stderr);
  const checkpoint = join(model, "checkpoint-2");
  const made = statSync(checkpoint).ctimeMs;

  const first = run();
  assert.equal(first.status, 0, first.stderr);
  assert.match(textOf("train"), /モデルがまだ保存されていません。.*checkpoint-2/);
  assert.equal(statSync(checkpoint).ctimeMs, made, "it was trained again");
  assert.ok(readFileSync(adapter).equals(readFileSync(join(checkpoint, "adapter_model.safetensors"))));
  for (const name of ["adapter_model.safetensors", "training_config.json", "tokenizer.json", "config.json"]) {
    assert.ok(existsSync(join(model, name)), name);
  }
  const results = JSON.parse(readFileSync(join(model, "results.json"), "utf8"));
  for (const side of [results.before, results.after]) {
    assert.equal(side.answers.length, results.questions.length);
    assert.ok(side.eval_loss > 0 && side.eval_combined_score >= 0 && side.eval_combined_score <= 1);
  }
  assert.notEqual(results.after.eval_loss, results.before.eval_loss);

  const [bytes, written] = [readFileSync(adapter), statSync(adapter).mtimeMs];
  const second = run();
  assert.equal(second.status, 0, second.stderr);
  assert.match(textOf("train"), /すでに終わっています/);
  assert.ok(readFileSync(adapter).equals(bytes) && statSync(adapter).mtimeMs === written, "the adapter is untouched");
});

function run(env: Record<string, string> = {}) {
  const parameters = {
    data_file: join(scratch, "dialogues.jsonl"),
    output_dir: join(scratch, "model"),
    max_steps: "2",
  };
  return spawnSync(
    process.execPath,
    [
      join(root, "dist/src/cli/main.js"),
      "run",
      path,
      "--quiet",
      "-o",
      join(scratch, "executed.ipynb"),
      ...Object.entries(parameters).flatMap(([name, value]) => ["-p", `${name}=${value}`]),
    ],
    { cwd: root, encoding: "utf8", env: { ...process.env, ...env } },
  );
}

/** What the cell printed in the last run. */
function textOf(id: string): string {
  const cell = readNotebook(join(scratch, "executed.ipynb")).cells.find((cell) => cell.id === id) as CodeCell;
  return cell.outputs.map((output) => (output.output_type === "stream" ? output.text : "")).join("");
}

function isExplanation(cell: Cell | undefined): boolean {
  return cell?.cell_type === "markdown" && tagsOf(cell).includes("explanation");
}

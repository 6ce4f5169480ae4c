/**
 * `npm test`: sets the clone up, lints, and runs every test. `npm test -- data model/lora` runs the test files whose
 * path contains one of the words; what follows `--` after that goes to node (`npm test -- data -- --test-name-pattern=split`).
 * `npm test -- --engine wasm` lets another engine than the best one compute wherever a test names none.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { root, run, say, setup } from "./setup.js";

const split = process.argv.indexOf("--", 2);
const { values, positionals: words } = parseArgs({
  args: process.argv.slice(2, split < 0 ? undefined : split),
  options: { engine: { type: "string" } },
  allowPositionals: true,
});
const nodeOptions = split < 0 ? [] : process.argv.slice(split + 1);
// The variable that programs heed, and those that tests start.
if (values.engine) process.env.KAISETSU_ENGINE = values.engine;

setup();
if (words.length === 0) run(process.execPath, [join(root, "node_modules/@biomejs/biome/bin/biome"), "ci", "."]);
// Says what computes; and an engine that does not start ends it here, not in every test.
run(process.execPath, [join(root, "dist/src/cli/main.js"), "doctor", "--no-benchmark"]);

const all = testFiles(join(root, "dist/test")).sort();
const chosen =
  words.length === 0 ? all : all.filter((file) => words.some((word) => relative(root, file).includes(word)));
if (chosen.length === 0) {
  say(`no test file matches ${words.join(" ")}`);
  process.exit(1);
}
const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=2", ...nodeOptions, ...chosen], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);

function testFiles(directory) {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(directory, name));
}

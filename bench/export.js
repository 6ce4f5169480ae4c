/**
 * `kaisetsu export` against `jupyter nbconvert --to html`, as whole commands, taken in turns on the same notebooks.
 *
 *   node bench/export.js [NOTEBOOK…]        PYTHON=/path/to/python with nbconvert, REPEATS=3
 *
 * Without arguments: a notebook of 200 small cells made here, and the tutorial when it is there.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "dist/src/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "kaisetsu-bench-"));
const repeats = Number(process.env.REPEATS ?? 3);
const python = [process.env.PYTHON, "/usr/bin/python3", "python3"].find(
  (command) => command && spawnSync(command, ["-m", "nbconvert", "--version"]).status === 0,
);
if (!python) {
  console.error("needs Python with nbconvert: apt-get install python3-nbconvert, or set PYTHON");
  process.exit(1);
}

try {
  for (const notebook of notebooks()) compare(notebook);
} finally {
  rmSync(folder, { recursive: true });
}

function notebooks() {
  if (process.argv.length > 2) return process.argv.slice(2).map((path) => resolve(path));
  const made = join(folder, "200-cells.ipynb");
  writeFileSync(made, JSON.stringify(smallCells(200)));
  const tutorial = join(root, "notebooks/socratic-training.ipynb");
  return existsSync(tutorial) ? [made, tutorial] : [made];
}

function compare(notebook) {
  const times = { kaisetsu: [], nbconvert: [] };
  const sizes = {};
  for (let i = 0; i < repeats; i++) {
    for (const tool of ["kaisetsu", "nbconvert"]) {
      const output = join(folder, `${tool}.html`);
      const [command, ...args] =
        tool === "kaisetsu"
          ? [process.execPath, cli, "export", notebook, "-o", output]
          : [python, "-m", "nbconvert", "--to", "html", "--output-dir", folder, "--output", `${tool}.html`, notebook];
      const began = performance.now();
      const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
      if (status !== 0) throw new Error(`${tool}: ${stderr}`);
      times[tool].push((performance.now() - began) / 1000);
      sizes[tool] = statSync(output).size;
    }
  }
  const best = { kaisetsu: Math.min(...times.kaisetsu), nbconvert: Math.min(...times.nbconvert) };
  console.log(basename(notebook));
  for (const tool of ["kaisetsu", "nbconvert"]) {
    console.log(
      `  ${tool.padEnd(10)} ${best[tool].toFixed(2)} s (best of ${repeats})  ${Math.round(sizes[tool] / 1000)} kB`,
    );
  }
  console.log(
    `  ratio      ${(best.nbconvert / best.kaisetsu).toFixed(2)} times faster, ${(sizes.nbconvert / sizes.kaisetsu).toFixed(2)} times smaller`,
  );
}

function smallCells(count) {
  const cells = Array.from({ length: count }, (_, i) =>
    i % 2 === 0
      ? {
          cell_type: "markdown",
          id: `m${i}`,
          metadata: {},
          source: `## 見出し ${i}\n\nこのセルは**値**を \`x${i}\` に入れます。\n\n- 一つめ\n- 二つめ`,
        }
      : {
          cell_type: "code",
          id: `c${i}`,
          metadata: {},
          execution_count: i,
          source: `const x${i} = ${i};\nconsole.log(\`x = \${x${i}}\`);`,
          outputs: [{ output_type: "stream", name: "stdout", text: `x = ${i}\n` }],
        },
  );
  const language_info = { name: "typescript", file_extension: ".ts", mimetype: "text/typescript" };
  return { nbformat: 4, nbformat_minor: 5, metadata: { language_info }, cells };
}

/**
 * Our kernel beside stock tslab: time from spawning the process to the first cell's reply, time of later cells (which
 * declare, use earlier names and print), and resident memory after many cells. Both are driven by the same client, in
 * turns, so that a busy machine is busy for both. `node bench/kernel.js [rounds] [cells]`
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launchKernel } from "../dist/kernel/launch.js";
import { helpIfAsked } from "./help.js";

helpIfAsked(import.meta.url);

const rounds = Number(process.argv[2] ?? 3);
const cells = Number(process.argv[3] ?? 200);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tslab = join(dirname(createRequire(import.meta.url).resolve("tslab/package.json")), "bin/tslab");

const kernels = {
  kaisetsu: {},
  tslab: { argv: [process.execPath, tslab, "kernel", "--config-path", "{connection_file}"] },
};
const seen = { kaisetsu: [], tslab: [] };
for (let round = 0; round < rounds; round++) {
  for (const name of Object.keys(kernels)) seen[name].push(await measure(kernels[name]));
}

const columns = ["firstCell", "cpuToFirst", "laterCell", "cpuPerCell", "memoryGrowth", "memory"];
const units = {
  firstCell: "ms",
  cpuToFirst: "ms",
  laterCell: "ms",
  cpuPerCell: "ms",
  memoryGrowth: "MB",
  memory: "MB",
};
console.log(`${rounds} rounds in turns, ${cells} cells each, medians; Node ${process.version}`);
for (const column of columns) {
  const [ours, theirs] = ["kaisetsu", "tslab"].map((name) => median(seen[name].map((round) => round[column])));
  const ratio = (ours / theirs).toFixed(2);
  console.log(
    `${column.padEnd(13)} kaisetsu ${ours.toFixed(1)} ${units[column]}, tslab ${theirs.toFixed(1)} ${units[column]}: ratio ${ratio}`,
  );
}

async function measure(options) {
  const started = performance.now();
  const kernel = await launchKernel({ cwd: join(root, "notebooks"), ...options });
  const { client } = kernel;
  const run = async (code) => {
    const execution = client.execute(code);
    for await (const _ of execution);
    const { content } = await execution.reply;
    if (content.status !== "ok") throw new Error(`${code}: ${JSON.stringify(content)}`);
  };
  await run("console.log('hello, world')");
  const firstCell = performance.now() - started;
  const cpuToFirst = cpuTime(kernel.process.pid);
  await run("let total = 0; function add(n: number): number { total += n; return total; }");
  for (let i = 0; i < 20; i++) await run(cell(i));
  const memoryBefore = residentMemory(kernel.process.pid);
  const cpuBefore = cpuTime(kernel.process.pid);
  const times = [];
  for (let i = 0; i < cells; i++) {
    const from = performance.now();
    await run(cell(i));
    times.push(performance.now() - from);
  }
  const memory = residentMemory(kernel.process.pid);
  const cpuPerCell = (cpuTime(kernel.process.pid) - cpuBefore) / cells;
  await kernel.stop();
  return { firstCell, cpuToFirst, laterCell: median(times), cpuPerCell, memoryGrowth: memory - memoryBefore, memory };
}

function cell(i) {
  return `const value${i % 50} = [1, 2, ${i}].map((n) => n * 2);\nadd(value${i % 50}[2]);\nconsole.log(total)`;
}

function residentMemory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
}

/** Milliseconds of all threads. */
function cpuTime(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

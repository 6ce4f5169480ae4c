import os from "node:os";
import { EngineError } from "../engine/errors.js";
import { betterEngines, useEngine } from "../engine/index.js";
import { type SurveyRow, surveyEngines } from "../engine/survey.js";
import type { Engine, EngineName } from "../engine/types.js";
import { type Benchmark, benchmark } from "./doctor-benchmark.js";

export interface DoctorOptions {
  engine?: string;
  device?: string;
  benchmark: boolean;
  json?: boolean;
}

interface Report {
  engine: { name: Engine["name"]; description: string } | null;
  /** Why the engine asked for, or any engine, does not run. */
  problem: string | null;
  /** Engines that would be better, and why they do not run. */
  better: { name: string; reason: string }[];
  engines: SurveyRow[];
  machine: { platform: string; processor: string; threads: number; memory_gib: number; free_memory_gib: number };
  versions: Record<string, string>;
  benchmark: Benchmark | null;
}

/** Prints the report; the exit code says whether this machine is fit to train. */
export async function examine(options: DoctorOptions): Promise<number> {
  const report = await makeReport(options);
  console.log(options.json ? JSON.stringify(report) : asText(report, options.engine));
  if (!report.engine || report.problem) return 1;
  return report.engine.name === "cpu" && options.engine !== "cpu" ? 1 : 0;
}

async function makeReport(options: DoctorOptions): Promise<Report> {
  const report: Report = {
    engine: null,
    problem: null,
    better: [],
    engines: await surveyEngines({ device: options.device }),
    machine: machine(),
    versions: await versions(),
    benchmark: null,
  };
  try {
    const engine = await useEngine((options.engine ?? "auto") as EngineName, { device: options.device });
    report.engine = { name: engine.name, description: engine.description };
    report.better = betterEngines();
    if (options.benchmark) report.benchmark = await benchmark(engine);
  } catch (error) {
    report.problem = error instanceof EngineError ? error.message : String((error as Error).stack ?? error);
  }
  return report;
}

function machine(): Report["machine"] {
  const gib = (bytes: number) => Math.round((bytes / 2 ** 30) * 10) / 10;
  // In a container the limit is what counts; without one it is absurdly large.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return {
    platform: `${process.platform} ${process.arch}`,
    processor: os.cpus()[0]?.model.trim() ?? "unknown",
    threads: os.availableParallelism(),
    memory_gib: gib(Math.min(os.totalmem(), limit)),
    free_memory_gib: gib(Math.min(os.freemem(), limit)),
  };
}

async function versions(): Promise<Record<string, string>> {
  const tf = await import("@tensorflow/tfjs");
  const { readFileSync } = await import("node:fs");
  const manifest = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  return {
    kaisetsu: manifest.version,
    node: process.versions.node,
    v8: process.versions.v8,
    tfjs: tf.version_core,
    "onnxruntime-node": manifest.optionalDependencies["onnxruntime-node"],
  };
}

function asText(report: Report, asked: string | undefined): string {
  const { engine, engines, machine, versions } = report;
  const width = Math.max(...engines.map(({ name }) => name.length));
  const lines = [
    `kaisetsu ${versions.kaisetsu}, Node.js ${versions.node}, TensorFlow.js ${versions.tfjs}`,
    `${machine.platform}, ${machine.processor}, ${count(machine.threads, "thread")}, ` +
      `${machine.memory_gib} GiB memory (${machine.free_memory_gib} GiB free)`,
    "",
    "Engines, best first:",
    ...engines.map(({ name, starts, detail }) => {
      const mark = name === engine?.name ? "→" : starts ? "✓" : "✗";
      return `  ${mark} ${name.padEnd(width)}  ${detail}`;
    }),
    "",
  ];
  if (engine) {
    const why = asked ? "asked for" : process.env.KAISETSU_ENGINE ? "chosen by KAISETSU_ENGINE" : "chosen";
    lines.push(`Engine: ${engine.name} (${why})`);
    if (engine.name === "cpu") {
      lines.push("This engine is for tests: training with it takes about a hundred times as long as it should.");
    }
  }
  if (report.problem) lines.push(`Problem: ${report.problem}`);
  if (report.benchmark) lines.push("", ...benchmarkLines(report.benchmark));
  return lines.join("\n");
}

function benchmarkLines({ product, train_step }: Benchmark): string[] {
  return [
    "Measured just now, beside whatever else this machine does:",
    `  matrix product, ${product.size} squared   ${product.gflops.toFixed(1)} GFLOP/s`,
    train_step
      ? `  training step of a small Gemma-2   ${Math.round(train_step.tokens_per_second)} tokens/s ` +
        `(${train_step.ms.toFixed(0)} ms for ${train_step.tokens} tokens; the first one ${train_step.first_ms.toFixed(0)} ms)`
      : "  training step of a small Gemma-2   not measured: at this speed one would take minutes",
  ];
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

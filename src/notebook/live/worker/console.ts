import { format, inspect } from "node:util";
import { print } from "./output.js";

/** `console` that writes under the cell, as Node's does. */
export function captureConsole(): void {
  const counts = new Map<string, number>();
  const timers = new Map<string, number>();
  let indent = "";
  const line =
    (name: "stdout" | "stderr") =>
    (...values: unknown[]) => {
      const text = format(...values);
      print(name, `${indent === "" ? text : indent + text.replaceAll("\n", `\n${indent}`)}\n`);
    };
  const log = line("stdout");
  const error = line("stderr");
  const elapsed = (label: string) =>
    `${label}: ${(performance.now() - (timers.get(label) ?? Number.NaN)).toFixed(3)}ms`;
  Object.assign(console, {
    log,
    info: log,
    debug: log,
    warn: error,
    error,
    dir: (value: unknown, options?: object) => log(inspect(value, options)),
    table: (value: unknown) => log(inspect(value, { compact: 1, depth: 3 })),
    trace: (...values: unknown[]) => error(`Trace: ${format(...values)}`),
    assert: (condition: unknown, ...values: unknown[]) => {
      if (!condition) error(values.length > 0 ? `Assertion failed: ${format(...values)}` : "Assertion failed");
    },
    count: (label = "default") => {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      log(`${label}: ${counts.get(label)}`);
    },
    countReset: (label = "default") => counts.delete(label),
    time: (label = "default") => timers.set(label, performance.now()),
    timeLog: (label = "default") => log(elapsed(label)),
    timeEnd: (label = "default") => {
      log(elapsed(label));
      timers.delete(label);
    },
    group: (...values: unknown[]) => {
      if (values.length > 0) log(...values);
      indent += "  ";
    },
    groupEnd: () => {
      indent = indent.slice(2);
    },
  });
}

import { Command, InvalidArgumentError } from "commander";

/** `kaisetsu run`: executes a notebook with nobody at the keyboard. */
export function runCommand(): Command {
  return new Command("run")
    .description("execute a notebook's cells in our kernel and save it with its outputs")
    .argument("<notebook>", "the .ipynb file; its folder is the cells' working directory")
    .option("-o, --output <file>", "where to save (default: the notebook itself)")
    .option("--html <file>", "also write the executed notebook as one HTML page")
    .option(
      "-p, --parameter <name=value>",
      "set a variable of the cell tagged `parameters`; JSON, or else text",
      collect,
      [],
    )
    .option("--timeout <seconds>", "interrupt a cell that takes longer", seconds)
    .option("--allow-errors", "go on after a cell that failed")
    .option("-q, --quiet", "show errors only")
    .option("--log-output <file>", "also write the cells' output as JSON lines {stream_name, time, data}")
    .addHelpText(
      "after",
      `
Cells tagged \`skip-execution\` are not run; a cell tagged \`raises-exception\` may fail.
The notebook is saved after every cell, and every 30 seconds during a long one.

Exit codes:
  0    every cell ran          124  a cell ran into --timeout
  1    a cell failed           130  stopped by Ctrl-C (143: by SIGTERM); what ran is saved
  2    wrong usage or file     137  out of memory
                               138  the kernel died`,
    )
    .action(async (notebook: string, options) => {
      const { runFile } = await import("./run-file.js");
      process.exitCode = await runFile(notebook, { ...options, parameters: options.parameter });
    });
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

function seconds(value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new InvalidArgumentError("seconds must be a number greater than 0");
  return number;
}

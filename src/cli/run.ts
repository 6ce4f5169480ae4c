import { Command, InvalidArgumentError } from "commander";

/** `kaisetsu run`: executes a notebook with nobody at the keyboard. */
export function runCommand(): Command {
  return new Command("run")
    .description("Execute a notebook's cells in our kernel, with nobody at the keyboard, and save it with its outputs.")
    .argument("<notebook>", "the .ipynb file")
    .option("-o, --output <file>", "where to save (default: the notebook itself)")
    .option("--html <file>", "also write an HTML page, which follows the run: open it while the notebook runs")
    .option("--live-html <file>", "also write a page whose reader can run the cells (see `kaisetsu export --help`)")
    .option(
      "-p, --parameter <name=value>",
      "set a variable of the cell tagged `parameters`; JSON, or else text; may be repeated",
      collect,
    )
    .option("-f, --parameters-file <file>", "set variables from a YAML or JSON file; -p wins over it", collect)
    .option("--cwd <dir>", "the folder in which the cells run (default: the notebook's)")
    .option("--timeout <seconds>", "interrupt a cell that takes longer", seconds)
    .option("--grace <seconds>", "what an interrupted cell gets to finish its step and save (default: 60)", seconds)
    .option("--startup-timeout <seconds>", "give up when the kernel does not answer by then (default: 60)", seconds)
    .option("--allow-errors", "go on after a cell that failed")
    .option("--resume", "go on where the last run of this notebook stopped (see below)")
    .option("--keep-kernel", "when a cell fails, leave the kernel alive for --resume")
    .option("--prepare-only", "put the parameters in and save, without running anything")
    .option("-q, --quiet", "show errors only")
    .option("--log-output <file>", "also write the cells' output as JSON lines {stream_name, time, data}")
    .addHelpText("after", help)
    .action(async (notebook: string, options) => {
      const { runFile } = await import("./run-file.js");
      process.exitCode = await runFile(notebook, {
        ...options,
        parameters: options.parameter,
        parameterFiles: options.parametersFile,
      });
    });
}

const help = `
Parameters go into a new cell after the one tagged \`parameters\`, whose variables they replace:
  kaisetsu run training.ipynb -p max_steps=20 -p 'name="a b"' -f settings.yaml -o out.ipynb --html out.html

Cells tagged \`skip-execution\` are not run; a cell tagged \`raises-exception\` may fail. The notebook is saved after
every cell, and every 30 seconds during a long one. When a cell fails, a note at the top of the notebook leads to it.

--timeout and Ctrl-C interrupt the cell. A training takes that as a request to finish its step and save a checkpoint,
for which it has --grace seconds; a second Ctrl-C stops everything at once.

--resume starts at the first cell that did not finish, or was changed since; cells before it keep their outputs. With
the kernel that --keep-kernel left alive (for an hour) all variables are still there. Without it, the cells before run
again to bring their variables back, except those tagged \`run-once\`.

Exit codes:
  0    every cell ran          124  a cell ran into --timeout
  1    a cell failed           130  stopped by Ctrl-C (143: by SIGTERM); what ran is saved
  2    wrong usage or file     137  out of memory
                               138  the kernel died`;

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

function seconds(value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new InvalidArgumentError("it must be a number of seconds greater than 0");
  return number;
}

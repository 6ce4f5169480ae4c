import { Command, Option } from "commander";

/** `kaisetsu doctor`: which engine computes on this machine, why not a better one, and how fast it is. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("say which engine computes here, why not a better one, and how fast it is")
    .option("--engine <name>", "look at this engine instead of the one that is chosen automatically")
    .option("--device <device>", "for onnx: the execution provider, such as cpu, cuda or webgpu")
    .option("--no-benchmark", "do not measure (the measurement takes about ten seconds)")
    .addOption(new Option("--json", "print one JSON object"))
    .addHelpText(
      "after",
      `
The environment variable KAISETSU_ENGINE chooses the engine where a program asks for "auto".

Exit codes:
  0  an engine that is fit for training runs
  1  only the slow cpu engine runs, or the engine asked for does not, or it computes wrongly
  2  wrong usage`,
    )
    .action(async (options) => {
      const { examine } = await import("./doctor-report.js");
      process.exitCode = await examine(options);
    });
}

import { Command, Option } from "commander";
import type { InstallOptions } from "../../kernel/install.js";

/** `kaisetsu kernel`: the TypeScript kernel for Jupyter. */
export function kernelCommand(): Command {
  return new Command("kernel")
    .description("The Jupyter kernel for TypeScript: install it for JupyterLab, VS Code and others, or start one.")
    .addCommand(
      withPlace(new Command("install"))
        .description("Tell Jupyter about the kernel (Python is not needed).")
        .option("--display-name <text>", "how front ends call it")
        .addOption(new Option("--types <mode>", "what type errors do to a cell").choices(["block", "warn", "off"]))
        .action(async (options: InstallOptions) => {
          const { installKernel } = await import("../../kernel/install.js");
          report(() => `installed in ${installKernel(options)}`);
        }),
    )
    .addCommand(
      withPlace(new Command("uninstall"))
        .description("Take back what install wrote.")
        .action(async (options: InstallOptions) => {
          const { uninstallKernel } = await import("../../kernel/install.js");
          report(() => `removed ${uninstallKernel(options)}`);
        }),
    )
    .addCommand(
      new Command("start")
        .description("Start a kernel, as Jupyter does; without a connection file it makes one and prints its path.")
        .argument("[connection-file]")
        .action(start),
    );
}

function withPlace(command: Command): Command {
  return command
    .option("--user", "for this user (the default)")
    .option("--sys-prefix", "into the active Python environment (VIRTUAL_ENV or CONDA_PREFIX)")
    .option("--prefix <dir>", "into DIR/share/jupyter/kernels")
    .option("--name <name>", "the kernel's name, to keep two versions side by side");
}

function report(act: () => string): void {
  try {
    console.log(`kaisetsu kernel: ${act()}`);
  } catch (error) {
    console.error(`kaisetsu kernel: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

async function start(given: string | undefined): Promise<void> {
  const { spawn } = await import("node:child_process");
  const { kernelArgv } = await import("../../kernel/spec.js");
  const file = given ?? (await newConnectionFile());
  const [command, ...rest] = kernelArgv().map((word) => word.replace("{connection_file}", file));
  const child = spawn(command!, rest, { stdio: "inherit" });
  // Ctrl-C reaches the kernel as well, which takes it for an interrupt.
  process.on("SIGINT", () => {});
  child.on("exit", (code, signal) => {
    process.exitCode = signal ? 1 : (code ?? 0);
  });
}

async function newConnectionFile(): Promise<string> {
  const { tmpdir } = await import("node:os");
  const { join } = await import("node:path");
  const { writeConnectionFile } = await import("../../kernel/connection.js");
  const file = join(tmpdir(), `kaisetsu-${process.pid}.json`);
  await writeConnectionFile(file, "kaisetsu");
  console.log(`connect with: jupyter console --existing ${file}`);
  return file;
}

#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { chatCommand } from "./chat.js";
import { doctorCommand } from "./doctor.js";
import { exportCommand } from "./export.js";
import { handoffCommand } from "./handoff.js";
import { kernelCommand } from "./kernel.js";
import { panelsCommand } from "./panels.js";
import { runCommand } from "./run.js";
import { trainCommand } from "./train.js";

/** Commands load their code only when they run, so that `--help` answers at once. */
const manifest = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const program = new Command("kaisetsu")
  .description("Fine-tune language models from TypeScript notebooks, and explain them in Japanese (解説).")
  .version(manifest.version)
  .showHelpAfterError();

// Each command is one file that exports a function returning a commander Command; add it here.
program.addCommand(exportCommand());
program.addCommand(panelsCommand());
program.addCommand(chatCommand());
program.addCommand(doctorCommand());
program.addCommand(runCommand());
program.addCommand(kernelCommand());
program.addCommand(trainCommand());
program.addCommand(handoffCommand());

await program.parseAsync();

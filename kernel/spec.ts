import { fileURLToPath } from "node:url";

export const KERNEL_NAME = "kaisetsu";
export const DISPLAY_NAME = "TypeScript (kaisetsu)";

/**
 * The command that starts the kernel; Jupyter puts a path in place of `{connection_file}`.
 *
 * `--no-force-async-hooks-checks`: an interrupt cuts user code off in the middle of an async hook, and Node would
 * abort over that. `--experimental-import-meta-resolve`: imports of a cell are resolved from the notebook's folder.
 */
export function kernelArgv(): string[] {
  return [
    process.execPath,
    "--no-force-async-hooks-checks",
    "--experimental-import-meta-resolve",
    "--disable-warning=ExperimentalWarning",
    // The kernel reaches into Node where there is no public way (see cells/runner.ts, protocol/signal.ts).
    "--disable-warning=DEP0111",
    fileURLToPath(new URL("./main.js", import.meta.url)),
    "{connection_file}",
  ];
}

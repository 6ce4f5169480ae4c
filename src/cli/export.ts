import { basename, dirname, resolve } from "node:path";
import { Command, Option } from "commander";

interface ExportCommandOptions {
  output?: string;
  ui: "ja" | "en";
  lang: string;
  live?: boolean;
  liveFile: string[];
}

/** `kaisetsu export`: a notebook to one HTML page. */
export function exportCommand(): Command {
  return new Command("export")
    .description("write a notebook with its saved outputs as one HTML page that works offline and runs nothing")
    .argument("<notebook>", "the .ipynb file")
    .option("-o, --output <file>", "where to write (default: beside the notebook, with .html)")
    .addOption(new Option("--ui <language>", "language of the page's own words").choices(["ja", "en"]).default("ja"))
    .option("--lang <tag>", "language of the notebook's text", "ja")
    .option("--live", "let the reader run and edit the TypeScript cells in the page, offline")
    .option(
      "--live-file <path>",
      "with --live: put this file or folder into the page, for cells that read it (repeatable)",
      (path: string, before: string[]) => [...before, path],
      [] as string[],
    )
    .addHelpText(
      "after",
      `
A page written with --live runs nothing until its reader presses Run. It then runs cells in a sandbox without network,
with kaisetsu and TensorFlow.js (WebAssembly); types are not checked. The notebook may say in its metadata what it needs:
  "kaisetsu": { "live": { "files": ["data/x.jsonl", "models/y"], "parameters": { "max_steps": 20 } } }
Files are relative to the notebook and must lie in its folder; parameters replace those of the cell tagged \`parameters\`.
Weights (.safetensors) go into the page in 4 bits (embeddings in 8).

Exit codes: 0 written, 2 not a notebook, or a file for --live is missing`,
    )
    .action(async (notebook: string, options: ExportCommandOptions) => {
      const { NotebookFormatError, readNotebook } = await import("../notebook/document.js");
      const { exportFile } = await import("./export-file.js");
      const { LivePageError } = await import("../notebook/export/live.js");
      const input = resolve(notebook);
      const output = resolve(options.output ?? input.replace(/(\.ipynb)?$/i, ".html"));
      try {
        const { ui, lang } = options;
        await exportFile(readNotebook(input, { repair: true }), output, {
          name: basename(input),
          folder: dirname(input),
          ui,
          lang,
          live:
            options.live || options.liveFile.length > 0
              ? { folder: dirname(input), files: options.liveFile }
              : undefined,
        });
      } catch (error) {
        if (!(error instanceof NotebookFormatError || error instanceof LivePageError)) throw error;
        console.error(`kaisetsu: ${error.message}`);
        process.exitCode = 2;
        return;
      }
      console.error(`kaisetsu: the page is in ${output}`);
    });
}

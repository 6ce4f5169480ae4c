import { basename, dirname, resolve } from "node:path";
import { Command, Option } from "commander";

/** `kaisetsu export`: a notebook to one HTML page. */
export function exportCommand(): Command {
  return new Command("export")
    .description("write a notebook with its saved outputs as one HTML page that works offline and runs nothing")
    .argument("<notebook>", "the .ipynb file")
    .option("-o, --output <file>", "where to write (default: beside the notebook, with .html)")
    .addOption(new Option("--ui <language>", "language of the page's own words").choices(["ja", "en"]).default("ja"))
    .option("--lang <tag>", "language of the notebook's text", "ja")
    .addHelpText("after", "\nExit codes: 0 written, 2 not a notebook")
    .action(async (notebook: string, options: { output?: string; ui: "ja" | "en"; lang: string }) => {
      const { NotebookFormatError, readNotebook } = await import("../notebook/document.js");
      const { exportFile } = await import("./export-file.js");
      const input = resolve(notebook);
      const output = resolve(options.output ?? input.replace(/(\.ipynb)?$/i, ".html"));
      try {
        const { ui, lang } = options;
        await exportFile(readNotebook(input, { repair: true }), output, {
          name: basename(input),
          folder: dirname(input),
          ui,
          lang,
        });
      } catch (error) {
        if (!(error instanceof NotebookFormatError)) throw error;
        console.error(`kaisetsu: ${error.message}`);
        process.exitCode = 2;
        return;
      }
      console.error(`kaisetsu: the page is in ${output}`);
    });
}

import { statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { Command, Option } from "commander";

interface ExportCommandOptions {
  output?: string;
  ui: "ja" | "en";
  lang: string;
  live?: boolean;
  liveFile: string[];
}

/** `kaisetsu export`: a notebook to one HTML page, or a folder of them to a site. */
export function exportCommand(): Command {
  return new Command("export")
    .description("write a notebook with its saved outputs as one HTML page that works offline and runs nothing")
    .argument("<notebook>", "the .ipynb file; or a folder of them, which becomes a small site with an index")
    .option("-o, --output <path>", "where to write (default: beside the notebook, with .html; FOLDER-html for a site)")
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

A site's pages come in the order of their names, or as _toc.yml in the folder says. Links between the notebooks lead to
their pages. A notebook that cannot be exported is named, and left out.

Exit codes: 0 written, 1 written without some notebooks of the folder, 2 not a notebook, or a file for --live is missing`,
    )
    .action(async (notebook: string, options: ExportCommandOptions) => {
      if (statSync(notebook, { throwIfNoEntry: false })?.isDirectory()) {
        await exportFolder(resolve(notebook), options);
        return;
      }
      const { NotebookFormatError, readNotebook } = await import("../notebook/document.js");
      const { exportFile } = await import("./export-file.js");
      const { LivePageError } = await import("../notebook/live/errors.js");
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
        const { ExportError } = await import("../notebook/export/export.js");
        const expected = [NotebookFormatError, LivePageError, ExportError].some((kind) => error instanceof kind);
        // A system error has a code, and says which file.
        if (!expected && !(error as { code?: string }).code) throw error;
        console.error(`kaisetsu: ${(error as Error).message}`);
        process.exitCode = 2;
        return;
      }
      console.error(`kaisetsu: the page is in ${output}`);
    });
}

async function exportFolder(folder: string, options: ExportCommandOptions): Promise<void> {
  const { exportSiteTo, SiteError } = await import("./export-site.js");
  const output = resolve(options.output ?? `${folder}-html`);
  try {
    if (options.live || options.liveFile.length > 0)
      throw new SiteError("--live is for one notebook, not for a folder");
    const problems = await exportSiteTo(folder, output, { ui: options.ui, lang: options.lang });
    for (const { notebook, message } of problems) console.error(`kaisetsu: left out ${notebook}: ${message}`);
    process.exitCode = problems.length > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof SiteError)) throw error;
    console.error(`kaisetsu: ${error.message}`);
    process.exitCode = 2;
    return;
  }
  console.error(`kaisetsu: the site is in ${output}; open ${resolve(output, "index.html")}`);
}

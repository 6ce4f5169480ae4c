import { dirname, relative, resolve } from "node:path";
import { Command } from "commander";
import type { Notebook } from "../notebook/nbformat.js";
import type { PanelFinding } from "../notebook/panels.js";

/** `kaisetsu panels`: explanations in plain Markdown to panels, and back; or a check of what is there. */
export function panelsCommand(): Command {
  return new Command("panels")
    .description(
      "turn the notebook's explanations (Markdown cells tagged `explanation`, or ID.md beside it) into panels",
    )
    .argument("<notebook>", "the .ipynb file, changed in place")
    .option("--check", "change nothing; report what is wrong as notebook:cell:line")
    .option("--flat <file>", "write a copy in which each panel is one HTML block, for nbconvert --embed-images")
    .option("--no-prose", "with --check: leave out the rules for Japanese prose (textlint)")
    .option("--plain", "the other way: panels to plain Markdown, to edit them")
    .addHelpText("after", "\nExit codes: 0 fine, 1 --check found something, 2 not a notebook")
    .action(async (file: string, options: { check?: boolean; flat?: string; plain?: boolean; prose: boolean }) => {
      const { ensureCellIds, NotebookFormatError, readNotebook, writeNotebook } = await import(
        "../notebook/document.js"
      );
      const { checkPanels, unwrapPanels, wrapPanels } = await import("../notebook/panels.js");
      const path = resolve(file);
      try {
        const notebook = readNotebook(path);
        if (options.check) {
          const findings = checkPanels(notebook);
          if (options.prose) findings.push(...(await proseFindings(notebook)));
          const name = relative(process.cwd(), path);
          for (const { cell, line, rule, message } of findings)
            console.log(`${name}:${cell}:${line}: ${message} (${rule})`);
          process.exitCode = findings.length > 0 ? 1 : 0;
          return;
        }
        ensureCellIds(notebook);
        if (options.flat !== undefined) {
          const { flattenPanels } = await import("../notebook/panels.js");
          const { fenceLanguages, markdownRenderer } = await import("../explain/markdown.js");
          const { loadLanguages } = await import("../explain/highlight.js");
          wrapPanels(notebook, dirname(path));
          await loadLanguages(notebook.cells.flatMap(({ source }) => fenceLanguages(source)));
          flattenPanels(notebook, markdownRenderer());
          writeNotebook(resolve(options.flat), notebook);
          console.error(`kaisetsu: the copy is in ${resolve(options.flat)}`);
          return;
        }
        const changed = options.plain ? unwrapPanels(notebook) : wrapPanels(notebook, dirname(path));
        if (changed > 0) writeNotebook(path, notebook);
        console.error(`kaisetsu: ${changed} explanation(s) changed in ${path}`);
      } catch (error) {
        if (!(error instanceof NotebookFormatError)) throw error;
        console.error(`kaisetsu: ${error.message}`);
        process.exitCode = 2;
      }
    });
}

async function proseFindings(notebook: Notebook): Promise<PanelFinding[]> {
  const { loadProseLinter, proseLinterPackages } = await import("../explain/prose.js");
  const { checkProse } = await import("../notebook/panels.js");
  const lint = await loadProseLinter();
  if (lint) return checkProse(notebook, lint);
  console.error(`kaisetsu: prose is not checked; for that: npm install --save-dev ${proseLinterPackages.join(" ")}`);
  return [];
}

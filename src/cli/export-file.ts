import { exportHtml } from "../notebook/export/export.js";
import { writeFileAtomic } from "../notebook/files.js";
import type { Notebook } from "../notebook/nbformat.js";

/** Writes the page, whole or not at all. @param from what the notebook file is called, and the folder of its pictures */
export async function exportFile(
  notebook: Notebook,
  output: string,
  from: { name: string; folder: string; ui?: "ja" | "en"; lang?: string },
): Promise<void> {
  writeFileAtomic(output, await exportHtml(notebook, from));
}

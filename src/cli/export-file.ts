import { writeFileAtomic } from "../files.js";
import { type ExportOptions, exportHtml } from "../notebook/export/export.js";
import type { Notebook } from "../notebook/nbformat.js";

/**
 * Writes the page, whole or not at all.
 * @param from what the notebook file is called, the folder of its pictures; and for a page whose cells can run, the folder
 * to which the paths in the notebook are relative, and more files for the page
 */
export async function exportFile(
  notebook: Notebook,
  output: string,
  { live, ...from }: Omit<ExportOptions, "live"> & { live?: { folder: string; files?: string[] } },
): Promise<void> {
  const liveModule = live && (await import("../notebook/export/live.js"));
  const files = live && liveModule?.readLiveFiles(notebook, live.folder, live.files);
  writeFileAtomic(output, await exportHtml(notebook, { ...from, live: files && { files } }));
}

import type { Notebook } from "../notebook/nbformat.js";
export async function exportFile(
  _notebook: Notebook,
  _output: string,
  _from: { name: string; folder: string },
): Promise<void> {}

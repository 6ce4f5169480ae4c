import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { unsavedName } from "./finished.js";

/** What a run makes: checkpoints, its final state, the weights, and how they were made. */
const made = [
  /^checkpoint-\d+$/,
  /^trainer_state\.json$/,
  new RegExp(`^${unsavedName.replaceAll(".", "\\.")}$`),
  /^(adapter_)?model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/,
  /^adapter_config\.json$/,
  /^training_(args|config)\.json$/,
];

const stateName = "trainer_state.json";

/** What belongs to the weights, but may also be the base model's, which the new run starts from. */
const shared = /^((generation_)?config|tokenizer|tokenizer_config)\.json$|^chat_template\.jinja$/;

/**
 * Clears the way for a fresh run: what an earlier one left goes into one folder, whole enough to be loaded from there.
 * @returns that folder
 */
export async function moveAside(outputDir: string): Promise<string> {
  const target = await freshFolder(outputDir);
  // The final state last: cut off in the middle, the run still counts as finished, and is asked about again.
  const names = (await readdir(outputDir)).sort((a, b) => Number(a === stateName) - Number(b === stateName));
  // Without it, no `saveModel()` has been there: weights are then somebody else's.
  const saved = names.includes("training_args.json");
  for (const name of names) {
    const [from, to] = [join(outputDir, name), join(target, name)];
    if (saved && shared.test(name)) await copyFile(from, to);
    if (made.some((pattern) => pattern.test(name)) && (saved || !/^(adapter_)?model/.test(name)))
      await rename(from, to);
  }
  return target;
}

async function freshFolder(outputDir: string): Promise<string> {
  const stamp = new Date().toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  for (let n = 1; ; n++) {
    const target = join(outputDir, n === 1 ? `previous-${stamp}` : `previous-${stamp}-${n}`);
    if (existsSync(target)) continue;
    await mkdir(target);
    return target;
  }
}

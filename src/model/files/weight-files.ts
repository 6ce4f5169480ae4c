import { existsSync } from "node:fs";
import { join } from "node:path";
import { listed, PretrainedFilesError } from "../errors.js";
import { readJson } from "./config-files.js";
import { type HostTensor, SafetensorsFile, type TensorEntry } from "./safetensors.js";

/** The weights of a model folder, in one file or many; tensors are read one at a time. */
export interface WeightFiles {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  read(name: string): Promise<HostTensor>;
  /** The bits of a tensor of F16 or BF16. */
  readBits(name: string): Promise<Uint16Array>;
  close(): Promise<void>;
}

/**
 * Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names.
 * @throws PretrainedFilesError when neither is there, a shard is missing, or the index and the shards disagree
 */
export async function openWeights(dir: string): Promise<WeightFiles> {
  const single = join(dir, "model.safetensors");
  const index = join(dir, "model.safetensors.index.json");
  if (existsSync(single)) return openFiles([single]);
  if (!existsSync(index)) {
    const pickled = existsSync(join(dir, "pytorch_model.bin")) || existsSync(join(dir, "pytorch_model.bin.index.json"));
    throw new PretrainedFilesError(
      `${dir} holds no model.safetensors and no model.safetensors.index.json` +
        (pickled ? " (pytorch_model.bin is not supported: save the model as safetensors first)" : ""),
    );
  }
  const map = (await readJson(index)).weight_map;
  if (typeof map !== "object" || map === null) throw new PretrainedFilesError(`${index} has no weight_map`);
  const shards = new Map(Object.entries(map as Record<string, string>));
  const files = [...new Set(shards.values())].sort();
  const absent = files.filter((file) => !existsSync(join(dir, file)));
  if (absent.length) throw new PretrainedFilesError(`${dir} lacks shards that its index names: ${listed(absent)}`);
  const weights = await openFiles(files.map((file) => join(dir, file)));
  const lost = [...shards.keys()].filter((name) => !weights.entries.has(name));
  if (lost.length) {
    await weights.close();
    throw new PretrainedFilesError(`${index} names parameters that are in no shard: ${listed(lost)}`);
  }
  return weights;
}

async function openFiles(paths: string[]): Promise<WeightFiles> {
  const files: SafetensorsFile[] = [];
  const home = new Map<string, SafetensorsFile>();
  const entries = new Map<string, TensorEntry>();
  const close = async () => {
    for (const file of files) await file.close();
  };
  try {
    for (const path of paths) {
      const file = await SafetensorsFile.open(path);
      files.push(file);
      for (const [name, entry] of file.tensors) {
        if (home.has(name)) throw new PretrainedFilesError(`${name} is in both ${home.get(name)!.path} and ${path}`);
        home.set(name, file);
        entries.set(name, entry);
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    entries,
    read: (name) => home.get(name)!.read(name),
    readBits: (name) => home.get(name)!.readBits(name),
    close,
  };
}

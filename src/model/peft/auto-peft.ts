import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { AutoModelForCausalLM, type FromPretrainedOptions } from "../auto-model.js";
import { PretrainedFilesError } from "../errors.js";
import { pretrainedFolder } from "../files/hub.js";
import { readAdapterConfig } from "./peft-files.js";
import { PeftModel } from "./peft-model.js";

export const AutoPeftModelForCausalLM = {
  /**
   * Loads an adapter (a folder or a hub id) together with the base model that it names. A relative name is looked up from the working
   * directory, then from the adapter's folder and the one above it.
   * @throws PretrainedFilesError when the adapter, or its base, cannot be found
   */
  async fromPretrained(nameOrPath: string, options: FromPretrainedOptions = {}): Promise<PeftModel> {
    const dir = await pretrainedFolder(nameOrPath, options);
    const name = (await readAdapterConfig(dir)).fields.base_model_name_or_path;
    if (!name) throw new PretrainedFilesError(`${dir}/adapter_config.json names no base_model_name_or_path`);
    const folders = [name, join(dir, name), join(dirname(dir), name)];
    const base = await AutoModelForCausalLM.fromPretrained(
      folders.find((folder) => existsSync(join(folder, "config.json"))) ?? name,
      options,
    );
    try {
      return await PeftModel.fromPretrained(base, dir);
    } catch (error) {
      base.dispose();
      throw error;
    }
  },
};

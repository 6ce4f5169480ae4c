/** What a cell can import: kaisetsu, TensorFlow.js and the parts of Node that the page has. */

import * as util from "node:util";
import * as tf from "@tensorflow/tfjs";
import * as buffer from "buffer/";
import * as kaisetsu from "kaisetsu";
import * as crypto from "../node/crypto.js";
import { NotInPageError } from "../node/errors.js";
import * as fs from "../node/fs.js";
import * as fsPromises from "../node/fs-promises.js";
import * as path from "../node/path.js";
import * as process from "../node/process.js";
import * as rest from "../node/rest.js";
import * as timers from "../node/timers.js";

const { EOL, homedir, tmpdir, hostname, platform, availableParallelism, cpus, totalmem, freemem } = rest;
const node = {
  buffer,
  crypto,
  fs,
  "fs/promises": fsPromises,
  os: { EOL, homedir, tmpdir, hostname, platform, availableParallelism, cpus, totalmem, freemem },
  path,
  "path/posix": path,
  perf_hooks: { performance },
  process,
  "timers/promises": timers,
  url: { URL, URLSearchParams, pathToFileURL: rest.pathToFileURL, fileURLToPath: rest.fileURLToPath },
  util,
} as Record<string, object>;

const modules = new Map<string, object>([
  ["kaisetsu", withNames(kaisetsu, "kaisetsu")],
  ["@tensorflow/tfjs", withNames(tf, "@tensorflow/tfjs")],
  ["@tensorflow/tfjs-core", withNames(tf, "@tensorflow/tfjs-core")],
  ...Object.entries(node).flatMap(([name, module]): [string, object][] => {
    const known = withNames(module, `node:${name}`);
    return [
      [name, known],
      [`node:${name}`, known],
    ];
  }),
]);

export async function importModule(name: string): Promise<object> {
  const module = modules.get(String(name));
  if (!module) throw new NotInPageError(`import "${name}"`);
  return module;
}

/** A name that the module lacks says so when it is read, instead of being undefined somewhere later. */
function withNames(module: object, name: string): object {
  const all: object = { default: module, ...module };
  return new Proxy(all, {
    get(target, key) {
      if (typeof key === "symbol" || key in target || key === "then" || key === "__esModule")
        return Reflect.get(target, key);
      throw new NotInPageError(`"${key}" of "${name}"`);
    },
  });
}

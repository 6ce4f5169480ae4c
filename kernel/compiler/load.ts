import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import vm from "node:vm";

/**
 * Loads the TypeScript compiler into `require`'s cache with V8's code cache: compiling its nine megabytes anew costs
 * every start a quarter of a second. Must be called before the first `require("typescript")`.
 * Returns a function that writes the cache, with all functions that were used until then, if there was none.
 */
export function loadTypeScript(): () => void {
  const require = createRequire(import.meta.url);
  const file = require.resolve("typescript");
  const { version } = require("typescript/package.json") as { version: string };
  const cacheFile = join(cacheFolder(), `typescript-${version}-${process.version}-${process.arch}.bin`);
  const wrapped = (Module as unknown as { wrap(source: string): string }).wrap(readFileSync(file, "utf8"));
  const cachedData = readIfThere(cacheFile);
  const script = new vm.Script(wrapped, { filename: file, cachedData });
  const module = new Module(file) as NodeJS.Module;
  module.filename = file;
  module.paths = [];
  require.cache[file] = module;
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
  module.loaded = true;
  return () => {
    if (cachedData === undefined || script.cachedDataRejected) write(cacheFile, script.createCachedData());
  };
}

function cacheFolder(): string {
  return process.env.KAISETSU_CACHE_DIR || join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "kaisetsu");
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** Whole or not at all, since several kernels may start at once. Without a cache everything works, more slowly. */
function write(file: string, data: Buffer): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, data);
    renameSync(temporary, file);
  } catch {
    // a home folder that cannot be written
  }
}

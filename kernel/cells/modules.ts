import { existsSync, readFileSync, statSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import vm from "node:vm";
import { registerSource } from "./errors.js";
import { compileAndWait } from "./port.js";

/** Loads what cells import: packages by Node's own loader, the user's TypeScript and JSON files by this one. */
export interface Modules {
  /** For `import` statements and `import()` of a cell. */
  import(specifier: string): Promise<unknown>;
  require: NodeJS.Require;
  /** What `import.meta` is in a cell. */
  meta: { url: string; dirname: string; filename: string; resolve(specifier: string): string };
}

interface CompiledModule {
  js: string;
  map: string;
  imports: string[];
  error?: string;
}

interface LocalModule {
  exports: Record<string, unknown>;
  ready: Promise<void>;
  stamp: string;
  imports: string[];
}

type Provided = Record<string, Record<string, unknown>>;

const LOCAL = [".ts", ".tsx", ".mts", ".cts"];

/** `provided` are modules of the kernel's own, such as tslab. Relative imports start from `cwd`. */
export function createModules(cwd: string, provided: Provided): Modules {
  const local = new Map<string, LocalModule>();
  const seen = new Map<string, string>();
  const cellPath = join(cwd, "[cell].ts");

  async function importFrom(specifier: string, parent: string): Promise<unknown> {
    const own = provided[specifier];
    if (own) return namespaceOf(own);
    const path = localFile(specifier, parent);
    if (path && isTypeScript(path)) return namespaceOf((await loadLocal(path)).exports);
    if (path?.endsWith(".json")) return namespaceOf(JSON.parse(readFileSync(path, "utf8")));
    const url = path ? freshUrl(path) : resolveUrl(specifier, parent);
    return interop(url, await import(url));
  }

  /** A file of the user's that changed since it was loaded is loaded again. */
  function freshUrl(path: string): string {
    const stamp = stampOf(path);
    const first = seen.get(path) ?? stamp;
    seen.set(path, first);
    const url = pathToFileURL(path).href;
    if (first === stamp) return url;
    delete require.cache[path];
    return `${url}?${stamp}`;
  }

  async function loadLocal(path: string, within: Set<string> = new Set()): Promise<LocalModule> {
    const known = local.get(path);
    if (known && !isStale(path, known, new Set())) {
      // In a circle of imports the one that began first is used as far as it has come.
      if (!within.has(path)) await known.ready;
      return known;
    }
    const compiled = compileAndWait<CompiledModule>({ kind: "module", path });
    if (compiled.error !== undefined) throw new SyntaxError(compiled.error);
    const module: LocalModule = { exports: {}, ready: Promise.resolve(), stamp: stampOf(path), imports: [] };
    for (const specifier of compiled.imports) {
      const file = localFile(specifier, path);
      if (file) module.imports.push(file);
    }
    local.set(path, module);
    module.ready = evaluate(path, compiled, module, new Set([...within, path]));
    try {
      await module.ready;
    } catch (error) {
      local.delete(path);
      throw error;
    }
    return module;
  }

  async function evaluate(
    path: string,
    compiled: CompiledModule,
    module: LocalModule,
    within: Set<string>,
  ): Promise<void> {
    const loaded = new Map<string, unknown>();
    for (const specifier of compiled.imports) {
      const file = localFile(specifier, path);
      const target =
        file && isTypeScript(file) ? (await loadLocal(file, within)).exports : await importFrom(specifier, path);
      loaded.set(specifier, target);
    }
    const base = createRequire(path);
    const requireHere = Object.assign(
      (specifier: string) => (loaded.has(specifier) ? asRequired(loaded.get(specifier)) : base(specifier)),
      base,
    );
    registerSource(path, { label: path, source: readFileSync(path, "utf8"), map: compiled.map, mapOffset: 0 });
    const text = `(async function(exports,require,module,__filename,__dirname,__import,__meta){\n${compiled.js}\n})`;
    const run = new vm.Script(text, { filename: path, lineOffset: -1 }).runInThisContext();
    const importHere = (specifier: string) => importFrom(String(specifier), path);
    await run(module.exports, requireHere, module, path, dirname(path), importHere, metaFor(path));
  }

  function isStale(path: string, module: LocalModule, visited: Set<string>): boolean {
    if (visited.has(path)) return false;
    visited.add(path);
    if (stampOf(path) !== module.stamp) return true;
    return module.imports.some((file) => {
      const dependency = local.get(file);
      return dependency ? isStale(file, dependency, visited) : seen.has(file) && seen.get(file) !== stampOf(file);
    });
  }

  const require = cellRequire(cellPath, provided);
  return {
    import: (specifier) => importFrom(String(specifier), cellPath),
    require,
    meta: metaFor(cellPath),
  };
}

function metaFor(path: string) {
  return {
    url: pathToFileURL(path).href,
    filename: path,
    dirname: dirname(path),
    resolve: (specifier: string) => resolveUrl(specifier, path),
  };
}

function resolveUrl(specifier: string, parent: string): string {
  const parentUrl = pathToFileURL(parent).href;
  try {
    return import.meta.resolve(specifier, parentUrl);
  } catch (error) {
    // A notebook in a folder without kaisetsu gets the kernel's own copy, and what that depends on.
    if (!isBare(specifier) || !parent.endsWith("[cell].ts")) throw error;
    try {
      return import.meta.resolve(specifier);
    } catch {
      throw error;
    }
  }
}

function isBare(specifier: string): boolean {
  return !/^(\.{1,2}\/|\/|[a-z][a-z+.-]+:)/i.test(specifier);
}

/** The user's file that a relative specifier means, `./util` and `./util.js` being `./util.ts` where only that exists. */
function localFile(specifier: string, parent: string): string | undefined {
  if (!/^\.{1,2}(\/|$)|^\//.test(specifier)) return undefined;
  const path = resolve(dirname(parent), specifier);
  const bare = path.replace(/\.([cm]?)js$/, "");
  const candidates = [
    path,
    ...LOCAL.map((extension) => path + extension),
    ...(bare === path ? [] : LOCAL.map((extension) => bare + extension)),
    `${path}.js`,
    `${path}.mjs`,
    `${path}.json`,
    ...[...LOCAL, ".js"].map((extension) => join(path, `index${extension}`)),
  ];
  return candidates.find((candidate) => existsSync(candidate) && statSync(candidate).isFile()) ?? path;
}

function isTypeScript(path: string): boolean {
  return LOCAL.includes(extname(path)) && !/\.d\.[cm]?ts$/.test(path);
}

function stampOf(path: string): string {
  try {
    const { mtimeMs, size } = statSync(path);
    return `${mtimeMs}-${size}`;
  } catch {
    return "gone";
  }
}

/** A CommonJS module as TypeScript sees it: all its members are named exports, and it is the default. */
function interop(url: string, namespace: Record<string, unknown>): unknown {
  if (url.startsWith("node:")) return namespace;
  const path = url.startsWith("file:") ? fileURLToPath(url.split("?")[0]!) : undefined;
  const loaded = path === undefined ? undefined : cache[path];
  if (!loaded || loaded.exports === namespace || isNamespace(loaded.exports)) return namespace;
  return namespaceOf(loaded.exports);
}

const cache = (Module as unknown as { _cache: Record<string, { exports: Record<string, unknown> } | undefined> })
  ._cache;

function isNamespace(value: unknown): boolean {
  return Object.prototype.toString.call(value) === "[object Module]";
}

const namespaces = new WeakMap<object, object>();

/** What `import * as x` gives for a module's exports; live, since a getter reads each member. */
function namespaceOf(exports: unknown): unknown {
  if ((typeof exports !== "object" && typeof exports !== "function") || exports === null) return { default: exports };
  if ((exports as { __esModule?: boolean }).__esModule) return exports;
  const known = namespaces.get(exports);
  if (known) return known;
  const namespace = {};
  namespaces.set(exports, namespace);
  for (const name of Object.getOwnPropertyNames(exports)) {
    if (
      name === "default" ||
      (typeof exports === "function" && /^(length|name|prototype|arguments|caller)$/.test(name))
    )
      continue;
    Object.defineProperty(namespace, name, { get: () => (exports as never)[name], enumerable: true });
  }
  Object.defineProperty(namespace, "default", { value: exports, enumerable: true });
  return namespace;
}

/** An ES module as the CommonJS code that TypeScript emits expects it. */
function asRequired(value: unknown): unknown {
  if (!isNamespace(value)) return value;
  const result = { __esModule: true };
  for (const name of Object.keys(value as object)) {
    Object.defineProperty(result, name, { get: () => (value as never)[name], enumerable: true });
  }
  return result;
}

function cellRequire(path: string, provided: Provided): NodeJS.Require {
  const base = createRequire(path);
  const fallback = createRequire(import.meta.url);
  const require = (specifier: string): unknown => {
    if (provided[specifier]) return provided[specifier];
    try {
      return base(specifier);
    } catch (error) {
      if ((error as { code?: string }).code !== "MODULE_NOT_FOUND" || !isBare(specifier)) throw error;
      try {
        return fallback(specifier);
      } catch {
        throw error;
      }
    }
  };
  return Object.assign(require, {
    resolve: base.resolve,
    cache: base.cache,
    extensions: base.extensions,
    main: base.main,
  });
}

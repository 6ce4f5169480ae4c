import { readFileSync, statSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import ts = require("typescript");

import { globalsDeclaration, tslabDeclaration } from "./ambient.js";
import { MODULES } from "./declarations.js";
import { coreNodeFiles } from "./node-types.js";
import { compilerOptions } from "./options.js";

/** A language service over one changing file, the cell, in the notebook's folder. */
export interface CellService {
  readonly cellFile: string;
  readonly service: ts.LanguageService;
  readonly options: ts.CompilerOptions;
  /** With `tsx`, the cell holds JSX. */
  setText(text: string, tsx?: boolean): void;
  /** Sets the file that keeps imported modules in the program. */
  setModules(text: string): void;
  /** The program for the text that was set last. */
  program(): ts.Program;
  /** Until this is called, most of Node's types are left out: see `isSimple`. */
  useAllTypes(): void;
  readonly hasAllTypes: boolean;
}

export function createCellService(cwd: string): CellService {
  const options = compilerOptions(cwd);
  const cellFile = join(cwd, "[cell].ts");
  const globalsFile = join(cwd, "[kaisetsu].d.ts");
  const tslabFile = join(cwd, "[tslab].d.ts");
  const modulesFile = join(cwd, `${MODULES}.ts`);
  const virtual = new Map([
    [cellFile, "export {};"],
    [globalsFile, globalsDeclaration],
    [tslabFile, tslabDeclaration],
    [modulesFile, "export {};"],
  ]);
  const versions = new Map([...virtual.keys()].map((file) => [file, 0]));
  const nodeRoots = nodeTypes(cwd);
  const nodeFolder = nodeRoots[0] === undefined ? undefined : dirname(nodeRoots[0]);
  const roots = [globalsFile, modulesFile, cellFile, ...nodeRoots];
  let hasAllTypes = false;
  let cellKind = ts.ScriptKind.TS;
  const isLeftOut = (file: string) =>
    !hasAllTypes &&
    nodeFolder !== undefined &&
    file.startsWith(nodeFolder) &&
    !coreNodeFiles.test(file.slice(nodeFolder.length + 1).replaceAll("\\", "/"));
  const snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot | undefined }>();
  const cache = ts.createModuleResolutionCache(cwd, (file) => file, options);

  const fileExists = (file: string) => virtual.has(file) || ts.sys.fileExists(file);
  const readFile = (file: string) => virtual.get(file) ?? (isLeftOut(file) ? "" : ts.sys.readFile(file));
  // The cache is not in the public interface; without it each program looks for 800 package.json files again.
  const host: ts.LanguageServiceHost & { getModuleResolutionCache(): ts.ModuleResolutionCache } = {
    getModuleResolutionCache: () => cache,
    // A third of the time that parsing takes; what inspection shows of comments, it reads itself.
    jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
    getScriptFileNames: () => roots,
    getScriptVersion: (file) => versions.get(file)?.toString() ?? (isLeftOut(file) ? "left out" : versionOf(file)),
    getScriptSnapshot: (file) => {
      const version = host.getScriptVersion(file);
      const known = snapshots.get(file);
      if (known?.version === version) return known.snapshot;
      const text = readFile(file);
      const snapshot = text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      if (snapshot) snapshots.set(file, { version, snapshot });
      return snapshot;
    },
    getScriptKind: (file) => (file === cellFile ? cellKind : kindOf(file)),
    getCurrentDirectory: () => cwd,
    getCompilationSettings: () => options,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists,
    readFile,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    readDirectory: ts.sys.readDirectory,
    realpath: ts.sys.realpath,
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
    resolveModuleNameLiterals: (literals, containingFile, redirected, settings, sourceFile) =>
      literals.map((literal) => {
        if (literal.text === "tslab") return { resolvedModule: resolvedDeclaration(tslabFile) };
        const mode = ts.getModeForUsageLocation(sourceFile, literal, settings);
        return resolve(literal.text, containingFile, mode, redirected);
      }),
  };

  const resolutionHost = { ...ts.sys, fileExists, readFile };
  const resolved = new Map<string, ts.ResolvedModuleWithFailedLookupLocations>();
  function resolve(
    name: string,
    from: string,
    mode: ts.ResolutionMode,
    redirected?: ts.ResolvedProjectReference,
  ): ts.ResolvedModuleWithFailedLookupLocations {
    const key = `${dirname(from)}\0${mode}\0${name}`;
    const known = resolved.get(key);
    if (known) return known;
    // Declared by Node's types, not by a file of that name.
    if (name.startsWith("node:") || (nodeFolder && from.startsWith(nodeFolder) && isBuiltin(name))) return nowhere;
    let found = ts.resolveModuleName(name, from, options, resolutionHost, undefined, redirected, mode);
    const isBare = !name.startsWith(".") && !name.startsWith("/");
    // A notebook in a folder without kaisetsu gets the kernel's own copy, and what that depends on.
    if (!found.resolvedModule && isBare && from === cellFile) {
      found = ts.resolveModuleName(name, ownFile, options, resolutionHost, undefined, redirected, mode);
    }
    // What is missing in the user's folder may appear before the next cell.
    if (found.resolvedModule || isPackaged(from)) resolved.set(key, found);
    return found;
  }

  function change(file: string, text: string): void {
    if (virtual.get(file) === text) return;
    virtual.set(file, text);
    versions.set(file, versions.get(file)! + 1);
  }

  const service = ts.createLanguageService(host);
  return {
    cellFile,
    service,
    options,
    setText(text, tsx = false) {
      cellKind = tsx ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
      change(cellFile, text);
    },
    setModules: (text) => change(modulesFile, text),
    program: () => service.getProgram()!,
    useAllTypes() {
      hasAllTypes = true;
    },
    get hasAllTypes() {
      return hasAllTypes;
    },
  };
}

const nowhere = { resolvedModule: undefined } as ts.ResolvedModuleWithFailedLookupLocations;
const ownFile = fileURLToPath(import.meta.url);

function resolvedDeclaration(file: string): ts.ResolvedModuleFull {
  return { resolvedFileName: file, extension: ts.Extension.Dts, isExternalLibraryImport: true };
}

function kindOf(file: string): ts.ScriptKind {
  switch (extname(file)) {
    case ".tsx":
      return ts.ScriptKind.TSX;
    case ".jsx":
      return ts.ScriptKind.JSX;
    case ".js":
    case ".mjs":
    case ".cjs":
      return ts.ScriptKind.JS;
    case ".json":
      return ts.ScriptKind.JSON;
    default:
      return ts.ScriptKind.TS;
  }
}

/** The user's own files can change between cells; packages and the standard library cannot. */
function versionOf(file: string): string {
  if (isPackaged(file)) return "1";
  try {
    return String(statSync(file).mtimeMs);
  } catch {
    return "1";
  }
}

function isPackaged(file: string): boolean {
  return file.includes("/node_modules/") || file.includes("\\node_modules\\");
}

/** The project's own types of Node, or those that come with the kernel. */
function nodeTypes(cwd: string): string[] {
  for (const from of [join(cwd, "cell.js"), ownFile]) {
    try {
      const manifest = createRequire(from).resolve("@types/node/package.json");
      const { types } = JSON.parse(readFileSync(manifest, "utf8")) as { types?: string };
      return [join(dirname(manifest), types ?? "index.d.ts")];
    } catch {
      // not there: try the next
    }
  }
  return [];
}

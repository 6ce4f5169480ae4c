import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { globalsDeclaration, tslabDeclaration } from "./ambient.js";
import { compilerOptions } from "./options.js";

/** A language service over one changing file, the cell, in the notebook's folder. */
export interface CellService {
  readonly cellFile: string;
  readonly service: ts.LanguageService;
  readonly options: ts.CompilerOptions;
  setText(text: string): void;
  /** The program for the text that was set last. */
  program(): ts.Program;
}

export function createCellService(cwd: string): CellService {
  const options = compilerOptions(cwd);
  const cellFile = join(cwd, "[cell].ts");
  const globalsFile = join(cwd, "[kaisetsu].d.ts");
  const tslabFile = join(cwd, "[tslab].d.ts");
  const virtual = new Map([
    [cellFile, "export {};"],
    [globalsFile, globalsDeclaration],
    [tslabFile, tslabDeclaration],
  ]);
  let version = 0;
  const roots = [globalsFile, cellFile, ...nodeTypes(cwd)];

  const fileExists = (file: string) => virtual.has(file) || ts.sys.fileExists(file);
  const readFile = (file: string) => virtual.get(file) ?? ts.sys.readFile(file);
  const host: ts.LanguageServiceHost = {
    getScriptFileNames: () => roots,
    getScriptVersion: (file) => (file === cellFile ? String(version) : versionOf(file)),
    getScriptSnapshot: (file) => {
      const text = readFile(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
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
        const resolve = (from: string) =>
          ts.resolveModuleName(
            literal.text,
            from,
            settings,
            { ...ts.sys, fileExists, readFile },
            cache,
            redirected,
            mode,
          );
        const found = resolve(containingFile);
        const isBare = !literal.text.startsWith(".") && !literal.text.startsWith("/");
        // A notebook in a folder without kaisetsu gets the kernel's own copy, and what that depends on.
        return found.resolvedModule || !isBare || containingFile !== cellFile ? found : resolve(ownFile);
      }),
  };
  const cache = ts.createModuleResolutionCache(cwd, (file) => file, options);
  const service = ts.createLanguageService(host);
  return {
    cellFile,
    service,
    options,
    setText(text) {
      version++;
      virtual.set(cellFile, text);
      // A package or a file may have appeared since the last cell.
      cache.clear();
    },
    program: () => service.getProgram()!,
  };
}

const ownFile = fileURLToPath(import.meta.url);

function resolvedDeclaration(file: string): ts.ResolvedModuleFull {
  return { resolvedFileName: file, extension: ts.Extension.Dts, isExternalLibraryImport: true };
}

/** The user's own files can change between cells; packages and the standard library cannot. */
function versionOf(file: string): string {
  if (file.includes("/node_modules/") || file.includes("\\node_modules\\")) return "1";
  try {
    return String(statSync(file).mtimeMs);
  } catch {
    return "1";
  }
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

import { dirname, relative, resolve, sep } from "node:path";

import ts = require("typescript");

import { runnableJsx } from "./jsx.js";

/** What the kernel needs whatever a `tsconfig.json` says: cells are modules that reach one another by name. */
const fixed: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  resolveJsonModule: true,
  allowImportingTsExtensions: true,
  esModuleInterop: true,
  declaration: true,
  sourceMap: true,
  inlineSourceMap: false,
  noEmit: false,
  noEmitOnError: false,
  emitDeclarationOnly: false,
  removeComments: false,
  preserveConstEnums: true,
  skipLibCheck: true,
  incremental: false,
  composite: false,
  isolatedModules: false,
  isolatedDeclarations: false,
  verbatimModuleSyntax: false,
  erasableSyntaxOnly: false,
  // A name that this cell does not use may be for the next one.
  noUnusedLocals: false,
  noUnusedParameters: false,
  importHelpers: false,
  types: [],
};

/** tslab's settings (not strict), with a library that matches this Node. */
function defaults(): ts.CompilerOptions {
  return {
    target: ts.ScriptTarget.ES2022,
    lib: libraries(),
    strict: false,
    experimentalDecorators: true,
    jsx: ts.JsxEmit.React,
    allowJs: true,
  };
}

function libraries(): string[] {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= 24) return ["lib.esnext.d.ts"];
  if (major >= 22) return ["lib.es2024.d.ts", "lib.esnext.iterator.d.ts", "lib.esnext.collection.d.ts"];
  return ["lib.es2023.d.ts"];
}

/** Options for cells in `cwd`: the defaults, then the `tsconfig.json` that covers the folder, then what must be. */
export function compilerOptions(cwd: string): ts.CompilerOptions {
  const own = configFor(cwd);
  const options = { ...defaults(), ...own, ...fixed };
  // Nothing is written to disk, and these would only make the compiler complain about the cell's place.
  for (const name of ["rootDir", "outDir", "outFile", "tsBuildInfoFile", "declarationDir", "declarationMap"] as const) {
    delete options[name];
  }
  options.jsx = runnableJsx(options.jsx);
  options.outDir = resolve(cwd, "[out]");
  if ((options.target ?? 0) < ts.ScriptTarget.ES2022) options.target = ts.ScriptTarget.ES2022;
  return options;
}

function configFor(cwd: string): ts.CompilerOptions {
  const path = ts.findConfigFile(cwd, ts.sys.fileExists);
  if (!path) return {};
  const { config, error } = ts.readConfigFile(path, ts.sys.readFile);
  if (error || !covers(config, path, cwd)) return {};
  const host = { ...ts.sys, readDirectory: () => [] };
  return ts.parseJsonConfigFileContent(config, host, dirname(path), undefined, path).options;
}

/** A project's settings are for the folders that it includes: a notebook beside `src/` is not one of its files. */
function covers(config: { include?: string[]; files?: string[] }, path: string, cwd: string): boolean {
  const folder = relative(dirname(path), cwd);
  if (folder === "") return true;
  if (!config.include) return !config.files;
  return config.include.some((pattern) => {
    const fixedPart = pattern.split(/[*?]/)[0]!.replace(/^\.\//, "").replace(/\/$/, "");
    return fixedPart === "" || folder === fixedPart || `${folder}${sep}`.startsWith(`${fixedPart}${sep}`);
  });
}

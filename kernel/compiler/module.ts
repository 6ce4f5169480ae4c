import { readFileSync } from "node:fs";

import ts = require("typescript");

export interface CompiledModule {
  js: string;
  map: string;
  /** What must be loaded before the module runs. */
  imports: string[];
  error?: string;
}

/**
 * A TypeScript file of the user's as CommonJS, which keeps exports live and may wait at its top level:
 * cells/modules.ts runs it in an async function after loading what it imports.
 */
export function compileModule(path: string, options: ts.CompilerOptions): CompiledModule {
  try {
    const source = readFileSync(path, "utf8");
    const { outputText, sourceMapText, diagnostics } = ts.transpileModule(source, {
      fileName: path,
      reportDiagnostics: true,
      compilerOptions: moduleOptions(options),
      transformers: { before: [dynamicImports] },
    });
    const problem = diagnostics?.find(({ category }) => category === ts.DiagnosticCategory.Error);
    if (problem) return { js: "", map: "", imports: [], error: where(problem, path) };
    const js = outputText.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "");
    return { js, map: sourceMapText ?? "", imports: requiredBy(js) };
  } catch (error) {
    return { js: "", map: "", imports: [], error: (error as Error).message };
  }
}

function moduleOptions(options: ts.CompilerOptions): ts.CompilerOptions {
  const {
    target,
    jsx,
    jsxFactory,
    jsxImportSource,
    jsxFragmentFactory,
    experimentalDecorators,
    emitDecoratorMetadata,
  } = options;
  return {
    ...{ target, jsx, jsxFactory, jsxFragmentFactory, jsxImportSource, experimentalDecorators, emitDecoratorMetadata },
    useDefineForClassFields: options.useDefineForClassFields,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    esModuleInterop: true,
    sourceMap: true,
  };
}

function where(problem: ts.Diagnostic, path: string): string {
  const message = ts.flattenDiagnosticMessageText(problem.messageText, "\n");
  if (!problem.file) return `${path}: ${message}`;
  const { line, character } = problem.file.getLineAndCharacterOfPosition(problem.start ?? 0);
  return `${path}:${line + 1}:${character + 1}: ${message}`;
}

/** The emitted text, not the source, since imports of types only are gone there. */
function requiredBy(js: string): string[] {
  const found = new Set<string>();
  const file = ts.createSourceFile("module.js", js, ts.ScriptTarget.Latest);
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "require") {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument)) found.add(argument.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return [...found];
}

const dynamicImports: ts.TransformerFactory<ts.SourceFile> = (context) => {
  const { factory } = context;
  const visit = (node: ts.Node): ts.Node => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const args = ts.visitNodes(node.arguments, visit) as ts.NodeArray<ts.Expression>;
      return factory.createCallExpression(factory.createIdentifier("__import"), undefined, args);
    }
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
      return factory.createIdentifier("__meta");
    }
    return ts.visitEachChild(node, visit, context);
  };
  return (file) => ts.visitNode(file, visit) as ts.SourceFile;
};

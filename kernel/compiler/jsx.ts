import ts = require("typescript");

import { CELL } from "./transform.js";

/** The name that emitted JSX calls, `React` unless told otherwise; undefined where JSX brings its own import. */
export function jsxRoot({ jsx, jsxFactory }: ts.CompilerOptions): string | undefined {
  return jsx === ts.JsxEmit.React ? (jsxFactory ?? "React").split(".")[0] : undefined;
}

/** What a project's bundler would turn JSX into later must happen here: cells are run as they are emitted. */
export function runnableJsx(jsx: ts.JsxEmit | undefined): ts.JsxEmit {
  return jsx === undefined || jsx === ts.JsxEmit.React ? ts.JsxEmit.React : ts.JsxEmit.ReactJSX;
}

/** The import that JSX brings comes after all other transformations, and a cell is no module: `await import` then. */
export const jsxImports: ts.TransformerFactory<ts.SourceFile> = ({ factory }) => {
  const statement = (node: ts.Statement): ts.Statement => {
    if (!ts.isImportDeclaration(node)) return node;
    const bindings = node.importClause?.namedBindings;
    if (!bindings || !ts.isNamedImports(bindings)) return node;
    const elements = bindings.elements.map(({ propertyName, name }) =>
      factory.createBindingElement(undefined, propertyName as ts.Identifier | undefined, name),
    );
    const load = factory.createPropertyAccessExpression(factory.createIdentifier(CELL), "import");
    const call = factory.createAwaitExpression(factory.createCallExpression(load, undefined, [node.moduleSpecifier]));
    const variable = factory.createVariableDeclaration(
      factory.createObjectBindingPattern(elements),
      undefined,
      undefined,
      call,
    );
    return factory.createVariableStatement(
      undefined,
      factory.createVariableDeclarationList([variable], ts.NodeFlags.Const),
    );
  };
  return (file) => factory.updateSourceFile(file, file.statements.map(statement));
};

import ts = require("typescript");

import type { CellNames } from "./names.js";

/** What the cell's code calls the kernel; see cells/scope.ts. */
export const CELL = "__cell";
export const SCOPE = "__scope";

export interface CellTransform {
  transformer: ts.TransformerFactory<ts.SourceFile>;
  /** Modules that the cell imports: `__m0` is the first. Filled by the transformer. */
  imports: string[];
  /** Local name -> expression that reads the import. Filled by the transformer. */
  imported: Map<string, string>;
}

/**
 * Turns the cell, a module, into the body of an async function:
 * names of earlier cells become properties of the scope, imports become awaited calls, the value of a last expression
 * is returned. `prefixEnd` is where the cell's own text begins, after the declarations of earlier names. `jsxRoot` is
 * what the JSX in it calls.
 */
export function cellTransform(
  checker: ts.TypeChecker,
  prefixEnd: number,
  codeEnd: number,
  names: CellNames,
  isEarlierValue: (name: string) => boolean,
  jsxRoot?: string,
): CellTransform {
  const imports: string[] = [];
  const imported = new Map<string, string>();
  const localImports = new Set<string>();
  const transformer: ts.TransformerFactory<ts.SourceFile> = (context) => {
    const { factory } = context;

    const access = (object: string, property: string): ts.Expression =>
      property === ""
        ? factory.createIdentifier(object)
        : factory.createPropertyAccessExpression(factory.createIdentifier(object), property);

    /** What stands for `node` at run time, when it means a name of an earlier cell or an import of this one. */
    const replacement = (node: ts.Identifier): ts.Expression | undefined => {
      const maybeImport = localImports.has(node.text);
      if (!maybeImport && !isEarlierValue(node.text)) return undefined;
      const symbol = ts.isShorthandPropertyAssignment(node.parent)
        ? checker.getShorthandAssignmentValueSymbol(node.parent)
        : checker.getSymbolAtLocation(node);
      const declaration = symbol?.declarations?.[0];
      if (declaration?.getSourceFile() !== node.getSourceFile()) return undefined;
      if (declaration.end <= prefixEnd) return access(SCOPE, node.text);
      const expression = maybeImport && isImported(declaration) ? imported.get(node.text) : undefined;
      if (expression === undefined) return undefined;
      const [object, property = ""] = expression.split(".");
      return access(object!, property);
    };

    const visit = (node: ts.Node): ts.Node => {
      if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return node;
      if (ts.isIdentifier(node)) return isReference(node) ? (replacement(node) ?? node) : node;
      if (ts.isShorthandPropertyAssignment(node)) return shorthand(node);
      if (ts.isCallExpression(node)) return call(node);
      if (ts.isTaggedTemplateExpression(node) && ts.isIdentifier(node.tag)) {
        const tag = replacement(node.tag);
        const template = ts.visitNode(node.template, visit) as ts.TemplateLiteral;
        return factory.updateTaggedTemplateExpression(
          node,
          tag ? unbound(tag) : node.tag,
          node.typeArguments,
          template,
        );
      }
      if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) return access(CELL, "meta");
      return ts.visitEachChild(node, visit, context);
    };

    /** `f()` must not become a method call on the scope. */
    const unbound = (expression: ts.Expression): ts.Expression =>
      ts.isIdentifier(expression)
        ? expression
        : factory.createParenthesizedExpression(factory.createComma(factory.createNumericLiteral(0), expression));

    const call = (node: ts.CallExpression): ts.Node => {
      const args = ts.visitNodes(node.arguments, visit) as ts.NodeArray<ts.Expression>;
      if (node.expression.kind === ts.SyntaxKind.ImportKeyword) {
        return factory.createCallExpression(access(CELL, "import"), undefined, args);
      }
      const callee = ts.isIdentifier(node.expression) ? replacement(node.expression) : undefined;
      if (!callee) return ts.visitEachChild(node, visit, context);
      return ts.isCallChain(node)
        ? factory.updateCallChain(node, unbound(callee), node.questionDotToken, node.typeArguments, args)
        : factory.updateCallExpression(node, unbound(callee), node.typeArguments, args);
    };

    const shorthand = (node: ts.ShorthandPropertyAssignment): ts.Node => {
      const value = replacement(node.name);
      const initial = node.objectAssignmentInitializer
        ? (ts.visitNode(node.objectAssignmentInitializer, visit) as ts.Expression)
        : undefined;
      if (!value) return factory.updateShorthandPropertyAssignment(node, node.name, initial);
      return factory.createPropertyAssignment(node.name, initial ? factory.createAssignment(value, initial) : value);
    };

    const importStatement = (node: ts.ImportDeclaration): void => {
      const clause = node.importClause;
      const specifier = (node.moduleSpecifier as ts.StringLiteral).text;
      if (clause && isTypeOnlyImport(clause, checker)) return;
      const object = `__m${imports.length}`;
      imports.push(specifier);
      const bind = (name: ts.Identifier, property: string) => {
        imported.set(name.text, property === "" ? object : `${object}.${property}`);
        localImports.add(name.text);
      };
      if (clause?.name) bind(clause.name, "default");
      const bindings = clause?.namedBindings;
      if (bindings && ts.isNamespaceImport(bindings)) bind(bindings.name, "");
      if (bindings && ts.isNamedImports(bindings)) {
        for (const element of bindings.elements) {
          if (!element.isTypeOnly) bind(element.name, (element.propertyName ?? element.name).text);
        }
      }
    };

    const statement = (node: ts.Statement, isLast: boolean): ts.Statement[] => {
      if (ts.isImportDeclaration(node)) return [];
      if (ts.isExportDeclaration(node)) return [];
      if (ts.isExportAssignment(node)) {
        return [factory.createExpressionStatement(ts.visitNode(node.expression, visit) as ts.Expression)];
      }
      if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
        if (node.isTypeOnly) return [];
        const required = factory.createCallExpression(factory.createIdentifier("require"), undefined, [
          node.moduleReference.expression,
        ]);
        const variable = factory.createVariableDeclaration(node.name.text, undefined, undefined, required);
        return [
          factory.createVariableStatement(
            undefined,
            factory.createVariableDeclarationList([variable], ts.NodeFlags.Const),
          ),
        ];
      }
      if (isLast && ts.isExpressionStatement(node)) {
        const value = ts.visitNode(node.expression, visit) as ts.Expression;
        // In an object, so that a promise stays one: `return promise` would wait for it.
        const result = factory.createObjectLiteralExpression([factory.createPropertyAssignment("value", value)]);
        return [ts.setTextRange(factory.createReturnStatement(result), node)];
      }
      // `export default class {}`: without the two words it would be a declaration that lacks its name.
      const isNameless = (ts.isClassDeclaration(node) || ts.isFunctionDeclaration(node)) && !node.name;
      const bare = withoutExport(ts.visitNode(node, visit) as ts.Statement, factory);
      return isNameless ? [] : [bare];
    };

    /** The emitted calls are made after this transformation, so what they call must be a name of the cell's own. */
    const jsxBinding = (): ts.Statement[] => {
      if (jsxRoot === undefined || names.values.has(jsxRoot)) return [];
      const [object, property = ""] = (
        imported.get(jsxRoot) ?? (isEarlierValue(jsxRoot) ? `${SCOPE}.${jsxRoot}` : "")
      ).split(".");
      if (!object) return [];
      const variable = factory.createVariableDeclaration(jsxRoot, undefined, undefined, access(object, property));
      return [
        factory.createVariableStatement(
          undefined,
          factory.createVariableDeclarationList([variable], ts.NodeFlags.Const),
        ),
      ];
    };

    return (file) => {
      const own = file.statements.filter((node) => node.getStart(file) >= prefixEnd && node.end <= codeEnd);
      names.imports.forEach((_, i) => {
        importStatement(own.filter(ts.isImportDeclaration)[i]!);
      });
      for (const node of own) {
        if (ts.isExportDeclaration(node) && node.moduleSpecifier && !node.isTypeOnly) {
          imports.push((node.moduleSpecifier as ts.StringLiteral).text);
        }
      }
      const statements = own.flatMap((node, i) => statement(node, i === own.length - 1));
      return factory.updateSourceFile(file, [...jsxBinding(), ...statements]);
    };
  };
  return { transformer, imports, imported };
}

/** True when nothing of the import exists at run time, as far as the types say. */
function isTypeOnlyImport(clause: ts.ImportClause, checker: ts.TypeChecker): boolean {
  if (clause.isTypeOnly) return true;
  if (clause.name || !clause.namedBindings || !ts.isNamedImports(clause.namedBindings)) return false;
  const { elements } = clause.namedBindings;
  return elements.length > 0 && elements.every((element) => element.isTypeOnly || isType(element, checker));
}

function isType(element: ts.ImportSpecifier, checker: ts.TypeChecker): boolean {
  const alias = checker.getSymbolAtLocation(element.name);
  if (!alias || !(alias.flags & ts.SymbolFlags.Alias)) return false;
  const { flags } = checker.getAliasedSymbol(alias);
  return (flags & ts.SymbolFlags.Type) !== 0 && (flags & ts.SymbolFlags.Value) === 0;
}

function isImported(declaration: ts.Declaration): boolean {
  return ts.isImportSpecifier(declaration) || ts.isImportClause(declaration) || ts.isNamespaceImport(declaration);
}

/** False for an identifier that names a member, a label, or what is being declared. */
function isReference(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (!parent) return false;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isQualifiedName(parent)) return parent.left === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isPropertyDeclaration(parent)) {
    return parent.initializer === node;
  }
  if (ts.isEnumMember(parent)) return parent.initializer === node;
  if (ts.isExportAssignment(parent) || ts.isExpressionWithTypeArguments(parent)) return parent.expression === node;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent) || ts.isMetaProperty(parent)) return false;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent) || ts.isJsxAttribute(parent)) return false;
  return !(
    (ts.isDeclarationStatement(parent) ||
      ts.isClassElement(parent) ||
      ts.isFunctionLike(parent) ||
      ts.isClassExpression(parent) ||
      ts.isObjectLiteralElement(parent)) &&
    (parent as { name?: ts.Node }).name === node
  );
}

function withoutExport(node: ts.Statement, factory: ts.NodeFactory): ts.Statement {
  if (!ts.canHaveModifiers(node) || !node.modifiers) return node;
  const keep = node.modifiers.filter(
    (modifier) => modifier.kind !== ts.SyntaxKind.ExportKeyword && modifier.kind !== ts.SyntaxKind.DefaultKeyword,
  );
  if (keep.length === node.modifiers.length) return node;
  return factory.replaceModifiers(
    node as ts.HasModifiers & ts.Statement,
    keep as unknown as ts.ModifierFlags,
  ) as ts.Statement;
}

import ts = require("typescript");

/** What a cell declares at its top level. */
export interface CellNames {
  /** Every name, of a value or of a type. */
  all: Set<string>;
  /** Names declared with `export` already. */
  exported: Set<string>;
  /** Values that exist at run time, and whether they can be assigned. Imports are not among them. */
  values: Map<string, { mutable: boolean }>;
  /** Those of the values that are declared with `var` in a block. */
  nested: Set<string>;
  imports: ts.ImportDeclaration[];
}

export function namesOf(file: ts.SourceFile): CellNames {
  const names: CellNames = { all: new Set(), exported: new Set(), values: new Map(), nested: new Set(), imports: [] };
  for (const statement of file.statements) collect(statement, names);
  return names;
}

/** Every identifier in the cell that is not a member's name: a superset of the names of earlier cells that it uses. */
export function mentionedIn(file: ts.SourceFile): Set<string> {
  const mentioned = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !isMemberName(node)) mentioned.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return mentioned;
}

/** Every name that the cell declares anywhere, in functions too. */
export function declaredIn(file: ts.SourceFile): Set<string> {
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    const { name } = node as { name?: ts.Node };
    if (ts.isDeclarationStatement(node) || ts.isVariableDeclaration(node) || ts.isParameter(node)) {
      if (name && ts.isIdentifier(name)) declared.add(name.text);
    } else if (ts.isBindingElement(node) || ts.isTypeParameterDeclaration(node) || ts.isFunctionExpression(node)) {
      if (name && ts.isIdentifier(name)) declared.add(name.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return declared;
}

function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  return (
    (ts.isPropertyAssignment(parent) || ts.isTypeElement(parent) || ts.isClassElement(parent)) && parent.name === node
  );
}

function collect(statement: ts.Statement, names: CellNames): void {
  const add = (name: ts.Identifier, value?: { mutable: boolean }) => {
    names.all.add(name.text);
    if (has(statement, ts.SyntaxKind.ExportKeyword)) names.exported.add(name.text);
    if (value && !has(statement, ts.SyntaxKind.DeclareKeyword)) names.values.set(name.text, value);
  };
  if (ts.isVariableStatement(statement)) {
    const mutable = !(statement.declarationList.flags & ts.NodeFlags.BlockScoped & ~ts.NodeFlags.Let);
    for (const name of boundNames(statement.declarationList)) add(name, { mutable });
  } else if (ts.isFunctionDeclaration(statement)) {
    // An overload signature has no body, its implementation follows.
    if (statement.name) add(statement.name, { mutable: true });
  } else if (ts.isClassDeclaration(statement)) {
    if (statement.name) add(statement.name, { mutable: true });
  } else if (ts.isEnumDeclaration(statement)) {
    add(statement.name, { mutable: true });
  } else if (ts.isModuleDeclaration(statement)) {
    if (ts.isIdentifier(statement.name) && !(statement.flags & ts.NodeFlags.GlobalAugmentation)) {
      add(statement.name, isInstantiated(statement) ? { mutable: true } : undefined);
    }
  } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
    add(statement.name);
  } else if (ts.isImportEqualsDeclaration(statement)) {
    add(statement.name, statement.isTypeOnly ? undefined : { mutable: false });
  } else if (ts.isImportDeclaration(statement)) {
    names.imports.push(statement);
    for (const name of importedNames(statement)) names.all.add(name.text);
  } else {
    for (const name of hoistedVars(statement)) {
      if (!names.values.has(name.text)) names.nested.add(name.text);
      add(name, { mutable: true });
    }
  }
}

export function importedNames({ importClause }: ts.ImportDeclaration): ts.Identifier[] {
  if (!importClause) return [];
  const { name, namedBindings } = importClause;
  const found = name ? [name] : [];
  if (namedBindings && ts.isNamespaceImport(namedBindings)) found.push(namedBindings.name);
  if (namedBindings && ts.isNamedImports(namedBindings)) found.push(...namedBindings.elements.map((e) => e.name));
  return found;
}

function boundNames(list: ts.VariableDeclarationList): ts.Identifier[] {
  const found: ts.Identifier[] = [];
  const visit = (name: ts.BindingName): void => {
    if (ts.isIdentifier(name)) found.push(name);
    else for (const element of name.elements) if (ts.isBindingElement(element)) visit(element.name);
  };
  for (const declaration of list.declarations) visit(declaration.name);
  return found;
}

/** `var` in a block belongs to the whole cell. */
function hoistedVars(statement: ts.Statement): ts.Identifier[] {
  const found: ts.Identifier[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return;
    if (ts.isVariableDeclarationList(node) && !(node.flags & ts.NodeFlags.BlockScoped)) found.push(...boundNames(node));
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return found;
}

/** A namespace that holds types only leaves nothing at run time. */
function isInstantiated(node: ts.ModuleDeclaration): boolean {
  const { body } = node;
  if (!body) return false;
  if (!ts.isModuleBlock(body)) return ts.isModuleDeclaration(body) ? isInstantiated(body) : true;
  return body.statements.some(
    (statement) =>
      !ts.isInterfaceDeclaration(statement) &&
      !ts.isTypeAliasDeclaration(statement) &&
      !(ts.isModuleDeclaration(statement) && !isInstantiated(statement)),
  );
}

function has(statement: ts.Statement, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(statement) && (ts.getModifiers(statement)?.some((m) => m.kind === kind) ?? false);
}

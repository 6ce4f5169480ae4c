import ts from "typescript";

/**
 * What earlier cells declared, as declaration text: the type checker sees these lines in front of the next cell.
 * Only what the cell mentions is put there, so that a long session stays as fast as a short one.
 */
export interface Declaration {
  name: string;
  /** Statement texts; `\0` marks the places of names, its own and those of `refs`, in order of `slots`. */
  pieces: string[];
  /** Which declaration stands between `pieces[i]` and `pieces[i + 1]`. */
  slots: Declaration[];
  /** False for interfaces, type aliases, ambient declarations: nothing to read at run time. */
  hasValue: boolean;
}

export class Declarations {
  private readonly byName = new Map<string, Declaration>();

  names(): Iterable<string> {
    return this.byName.keys();
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  hasValue(name: string): boolean {
    return this.byName.get(name)?.hasValue ?? false;
  }

  /**
   * The text that declares `names` and all that their types mention. A type that was declared anew since, or that the
   * cell declares itself (`taken`), keeps its meaning where it was used before: it appears under a name of its own.
   */
  render(names: Iterable<string>, taken: ReadonlySet<string>): string {
    const wanted = new Set<Declaration>();
    const visit = (declaration: Declaration): void => {
      if (wanted.has(declaration)) return;
      wanted.add(declaration);
      declaration.slots.forEach(visit);
    };
    for (const name of names) {
      const declaration = this.byName.get(name);
      if (declaration) visit(declaration);
    }
    let hidden = 0;
    const labels = new Map<Declaration, string>();
    for (const declaration of wanted) {
      const current = this.byName.get(declaration.name) === declaration && !taken.has(declaration.name);
      labels.set(declaration, current ? declaration.name : `${declaration.name}__${++hidden}`);
    }
    return [...wanted]
      .map(({ pieces, slots }) => pieces.map((piece, i) => piece + (slots[i] ? labels.get(slots[i]) : "")).join(""))
      .join("");
  }

  /** Takes over what a cell declared. */
  add(declarations: Declaration[]): void {
    for (const declaration of declarations) this.byName.set(declaration.name, declaration);
  }

  get(name: string): Declaration | undefined {
    return this.byName.get(name);
  }

  delete(name: string): void {
    this.byName.delete(name);
  }
}

/** Splits the `.d.ts` text of a cell into one `Declaration` a name. `earlier` are those the cell could see. */
export function splitDeclarations(text: string, earlier: Declarations, values: ReadonlySet<string>): Declaration[] {
  const file = ts.createSourceFile("cell.d.ts", text, ts.ScriptTarget.Latest, true);
  const own = new Map<string, { declaration: Declaration; parts: Part[] }>();
  for (const part of file.statements.flatMap((statement) => partsOf(statement, file))) {
    let entry = own.get(part.name);
    if (!entry) {
      const declaration = { name: part.name, pieces: [], slots: [], hasValue: values.has(part.name) };
      entry = { declaration, parts: [] };
      own.set(part.name, entry);
    }
    entry.parts.push(part);
  }
  for (const { declaration, parts } of own.values()) {
    let piece = "";
    for (const part of parts) {
      let position = part.start;
      piece += part.before;
      for (const identifier of identifiersIn(part.nodes)) {
        const target = own.get(identifier.text)?.declaration ?? earlier.get(identifier.text);
        if (!target) continue;
        piece += text.slice(position, identifier.getStart(file));
        position = identifier.getEnd();
        declaration.pieces.push(piece);
        declaration.slots.push(target);
        piece = "";
      }
      piece += `${text.slice(position, part.end)}${part.after}`;
    }
    declaration.pieces.push(piece);
  }
  return [...own.values()].map(({ declaration }) => declaration);
}

interface Part {
  name: string;
  nodes: ts.Node[];
  start: number;
  end: number;
  before: string;
  after: string;
}

function partsOf(statement: ts.Statement, file: ts.SourceFile): Part[] {
  if (ts.isVariableStatement(statement)) {
    const { declarations, flags } = statement.declarationList;
    const keyword = flags & ts.NodeFlags.Const ? "const" : flags & ts.NodeFlags.Let ? "let" : "var";
    return declarations.flatMap((node) =>
      ts.isIdentifier(node.name)
        ? [part(node.name.text, [node], node.getStart(file), node.end, `declare ${keyword} `, ";\n")]
        : [],
    );
  }
  if (ts.isImportDeclaration(statement)) return importParts(statement, file);
  if (ts.isImportEqualsDeclaration(statement)) {
    return [part(statement.name.text, [statement], statement.getStart(file), statement.end, "", "\n")];
  }
  if (
    (ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement) ||
      ts.isEnumDeclaration(statement) ||
      ts.isModuleDeclaration(statement)) &&
    statement.name &&
    ts.isIdentifier(statement.name)
  ) {
    const modifiers = statement.modifiers?.filter((modifier) => modifier.kind !== ts.SyntaxKind.ExportKeyword) ?? [];
    const plain = modifiers.filter(
      (modifier) => modifier.kind !== ts.SyntaxKind.DeclareKeyword && modifier.kind !== ts.SyntaxKind.DefaultKeyword,
    );
    const start = statement.modifiers?.length ? statement.modifiers.end : statement.getStart(file);
    const words = ["declare", ...plain.map((modifier) => modifier.getText(file))].join(" ");
    return [part(statement.name.text, [statement], start, statement.end, `${words} `, "\n")];
  }
  return [];
}

/** One import statement a name, so that a name can be declared anew without the others. */
function importParts(statement: ts.ImportDeclaration, file: ts.SourceFile): Part[] {
  const clause = statement.importClause;
  if (!clause) return [];
  const from = ` from ${statement.moduleSpecifier.getText(file)};\n`;
  const keyword = clause.isTypeOnly ? "import type " : "import ";
  const parts: Part[] = [];
  const add = (name: ts.Identifier, before: string, after: string) =>
    parts.push(part(name.text, [name], name.getStart(file), name.end, before, after));
  if (clause.name) add(clause.name, keyword, from);
  const bindings = clause.namedBindings;
  if (bindings && ts.isNamespaceImport(bindings)) add(bindings.name, `${keyword}* as `, from);
  if (bindings && ts.isNamedImports(bindings)) {
    for (const { name, propertyName, isTypeOnly } of bindings.elements) {
      add(name, `${keyword}{ ${isTypeOnly ? "type " : ""}${(propertyName ?? name).getText(file)} as `, ` }${from}`);
    }
  }
  return parts;
}

function part(name: string, nodes: ts.Node[], start: number, end: number, before: string, after: string): Part {
  return { name, nodes, start, end, before, after };
}

/** Identifiers that can mean a declared name: not those after a dot, nor the names of members. */
function identifiersIn(nodes: ts.Node[]): ts.Identifier[] {
  const found: ts.Identifier[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && mayRefer(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  nodes.forEach(visit);
  return found.sort((a, b) => a.pos - b.pos);
}

function mayRefer(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isQualifiedName(parent) && parent.right === node) return false;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (ts.isImportTypeNode(parent) && parent.qualifier === node) return false;
  if (ts.isParameter(parent) && parent.name === node) return false;
  if (ts.isTypeParameterDeclaration(parent) && parent.name === node) return false;
  if (ts.isNamedTupleMember(parent) && parent.name === node) return false;
  if (ts.isEnumMember(parent) && parent.name === node) return false;
  if (ts.isTypePredicateNode(parent) && parent.parameterName === node) return false;
  if (ts.isBindingElement(parent) || isTypeParameter(node)) return false;
  return !((ts.isTypeElement(parent) || ts.isClassElement(parent)) && parent.name === node);
}

function isTypeParameter(node: ts.Identifier): boolean {
  for (let parent: ts.Node = node.parent; parent; parent = parent.parent) {
    if (ts.isMappedTypeNode(parent) && parent.typeParameter.name.text === node.text) return true;
    const own = (parent as { typeParameters?: ts.NodeArray<ts.TypeParameterDeclaration> }).typeParameters;
    if (own?.some((parameter) => parameter.name.text === node.text)) return true;
  }
  return false;
}

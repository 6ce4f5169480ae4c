import ts = require("typescript");

/**
 * What earlier cells declared, as declaration text: the type checker sees these lines in front of the next cell.
 * Only what the cell mentions is put there, so that a long session stays as fast as a short one.
 */
export interface Declaration {
  name: string;
  /** What stands between and around the slots. */
  pieces: string[];
  /** Between `pieces[i]` and `pieces[i + 1]`: a name, its own or one that it mentions, or a module's. */
  slots: (Declaration | ModuleName)[];
  /** False for interfaces, type aliases, ambient declarations: nothing to read at run time. */
  hasValue: boolean;
}

/** The file in the cell's folder that has the text of `modulesText`. */
export const MODULES = "[modules]";

interface ModuleName {
  module: string;
}

export class Declarations {
  private readonly byName = new Map<string, Declaration>();
  private readonly modules = new Map<string, number>();

  /**
   * A module that re-exports every module that any cell imported, under names of our own. The compiler's set of files
   * stays the same from cell to cell that way: building it anew costs more than checking a cell.
   */
  modulesText(): string {
    const lines = [...this.modules].map(([module, i]) => {
      const from = `from ${JSON.stringify(module)};\n`;
      return `export * as $m${i} ${from}export { default as $m${i}d } ${from}`;
    });
    return `${lines.join("")}export {};\n`;
  }

  addModule(module: string): void {
    if (!this.modules.has(module)) this.modules.set(module, this.modules.size);
  }

  moduleAt(index: number): string | undefined {
    return [...this.modules.keys()][index];
  }

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
   * `meanings` says what each name in the text stands for.
   */
  render(names: Iterable<string>, taken: ReadonlySet<string>): { text: string; meanings: Map<string, Declaration> } {
    const wanted = new Set<Declaration>();
    const visit = (declaration: Declaration): void => {
      if (wanted.has(declaration)) return;
      wanted.add(declaration);
      for (const slot of declaration.slots) if (!("module" in slot)) visit(slot);
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
    const label = (slot: Declaration | ModuleName | undefined): string => {
      if (!slot) return "";
      return "module" in slot ? `$m${this.modules.get(slot.module)}` : labels.get(slot)!;
    };
    const text = [...wanted]
      .map(({ pieces, slots }) => pieces.map((piece, i) => piece + label(slots[i])).join(""))
      .join("");
    const modules = new Set(text.match(/\$m\d+d?\b/g));
    return {
      text: `import { ${[...modules].join(", ")} } from "./${MODULES}";\n${text}`,
      meanings: new Map([...labels].map(([declaration, name]) => [name, declaration])),
    };
  }

  /** Takes over what a cell declared. */
  add(declarations: Declaration[]): void {
    for (const declaration of declarations) {
      this.byName.set(declaration.name, declaration);
      for (const slot of declaration.slots) if ("module" in slot) this.addModule(slot.module);
    }
  }

  get(name: string): Declaration | undefined {
    return this.byName.get(name);
  }

  delete(name: string): void {
    this.byName.delete(name);
  }
}

/**
 * Splits the `.d.ts` text of a cell into one `Declaration` a name. The text also repeats what the cell's own types
 * mention of `meanings`, the names that `render` gave it: those stay what they are.
 */
export function splitDeclarations(
  text: string,
  names: { all: ReadonlySet<string>; values: ReadonlySet<string> },
  meanings: ReadonlyMap<string, Declaration>,
  earlier: Declarations,
): Declaration[] {
  const file = ts.createSourceFile("cell.d.ts", text, ts.ScriptTarget.Latest, true);
  const own = new Map<string, { declaration: Declaration; parts: Part[] }>();
  for (const part of file.statements.flatMap((statement) => partsOf(statement, file))) {
    if (!names.all.has(part.name)) continue;
    let entry = own.get(part.name);
    if (!entry) {
      const declaration = { name: part.name, pieces: [], slots: [], hasValue: names.values.has(part.name) };
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
      for (const node of part.nodes.flatMap(mentions).sort((a, b) => a.pos - b.pos)) {
        const target = ts.isIdentifier(node)
          ? (moduleOf(node, earlier) ?? own.get(node.text)?.declaration ?? meanings.get(node.text))
          : { module: ((node.argument as ts.LiteralTypeNode).literal as ts.StringLiteral).text };
        if (!target) continue;
        const [start, end] = ts.isIdentifier(node) ? [node.getStart(file), node.end] : importCall(node, file);
        declaration.pieces.push(piece + text.slice(position, start));
        declaration.slots.push(target);
        position = end;
        piece = "";
      }
      piece += `${text.slice(position, part.end)}${part.after}`;
      if (part.module !== undefined) {
        declaration.pieces.push(piece);
        declaration.slots.push({ module: part.module });
        piece = `${part.member};\n`;
      }
    }
    declaration.pieces.push(piece);
  }
  return [...own.values()].map(({ declaration }) => declaration);
}

/** `$m3` is how `modulesText` calls a module; the number is today's only. */
function moduleOf(node: ts.Identifier, earlier: Declarations): ModuleName | undefined {
  const match = /^\$m(\d+)$/.exec(node.text);
  const module = match ? earlier.moduleAt(Number(match[1])) : undefined;
  return module === undefined ? undefined : { module };
}

/** From `import` to the closing parenthesis of `import("module").Type`. */
function importCall(node: ts.ImportTypeNode, file: ts.SourceFile): [start: number, end: number] {
  const start = node.isTypeOf ? file.text.indexOf("import", node.getStart(file)) : node.getStart(file);
  return [start, file.text.indexOf(")", node.argument.end) + 1];
}

interface Part {
  name: string;
  nodes: ts.Node[];
  start: number;
  end: number;
  before: string;
  after: string;
  /** For an import: what follows `after` is the module's name and this. */
  module?: string;
  member?: string;
}

function partsOf(statement: ts.Statement, file: ts.SourceFile): Part[] {
  if (ts.isVariableStatement(statement)) {
    const { declarations, flags } = statement.declarationList;
    const keyword = flags & ts.NodeFlags.Const ? "const" : flags & ts.NodeFlags.Let ? "let" : "var";
    return declarations.flatMap((node) =>
      ts.isIdentifier(node.name)
        ? [
            part(
              node.name.text,
              [node],
              node.getStart(file),
              node.end,
              `${docOf(statement, file)}declare ${keyword} `,
              ";\n",
            ),
          ]
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
    return [part(statement.name.text, [statement], start, statement.end, `${docOf(statement, file)}${words} `, "\n")];
  }
  return [];
}

/** The doc comment, for inspection. */
function docOf(statement: ts.Statement, file: ts.SourceFile): string {
  const comment = ts.getLeadingCommentRanges(file.text, statement.pos)?.at(-1);
  const text = comment ? file.text.slice(comment.pos, comment.end) : "";
  return text.startsWith("/**") ? `${text}\n` : "";
}

/** One alias a name, so that a name can be declared anew without the others. */
function importParts(statement: ts.ImportDeclaration, file: ts.SourceFile): Part[] {
  const clause = statement.importClause;
  const module = (statement.moduleSpecifier as ts.StringLiteral).text;
  if (!clause) return [];
  const parts: Part[] = [];
  const add = (name: ts.Identifier, member: string) =>
    parts.push({ ...part(name.text, [name], name.getStart(file), name.end, "import ", " = "), module, member });
  if (clause.name) add(clause.name, "d");
  const bindings = clause.namedBindings;
  if (bindings && ts.isNamespaceImport(bindings)) add(bindings.name, "");
  if (bindings && ts.isNamedImports(bindings)) {
    for (const { name, propertyName } of bindings.elements) {
      const member = (propertyName ?? name).text;
      add(name, member === "default" ? "d" : `.${member}`);
    }
  }
  return parts;
}

function part(name: string, nodes: ts.Node[], start: number, end: number, before: string, after: string): Part {
  return { name, nodes, start, end, before, after };
}

/** Identifiers that can mean a declared name (not those after a dot, nor the names of members), and `import("m")`. */
function mentions(root: ts.Node): (ts.Identifier | ts.ImportTypeNode)[] {
  const found: (ts.Identifier | ts.ImportTypeNode)[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && mayRefer(node)) found.push(node);
    if (ts.isImportTypeNode(node) && !node.attributes && (node.qualifier || node.isTypeOf)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(root);
  return found;
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

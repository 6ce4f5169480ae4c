/** Which names a piece of JavaScript refers to, and who declares them. */
import type { Node, Program } from "acorn";
import isReference from "is-reference";
import { analyze, type Scope } from "periscopic";

// biome-ignore lint/suspicious/noExplicitAny: a node of any type; its `type` tells which members it has
export type AnyNode = Node & Record<string, any>;

export interface Reference {
  node: AnyNode;
  parent: AnyNode | undefined;
  /** Declared at the top level of the program itself, not in a function or a block. */
  isTopLevel: boolean;
  /** Declared nowhere in the program. */
  isFree: boolean;
  /** `await` may stand here. */
  inAsync: boolean;
}

/** @returns also the nodes that declare the names of the top level */
export function references(program: Program): { found: Reference[]; declared: Map<string, Node> } {
  const { map, scope: root } = analyze(program as never);
  const found: Reference[] = [];
  // The analysis forgets that a class expression knows its own name.
  const classNames = new Set<string>();
  walk(program as AnyNode, (node) => {
    if (node.type === "ClassExpression" && node.id) classNames.add(node.id.name);
    if (node.type === "Property" && node.shorthand && node.value.type === "AssignmentPattern")
      node.value.isShorthand = true;
  });
  visit(program as AnyNode, undefined, root, true);
  return { found, declared: root.declarations as unknown as Map<string, Node> };

  function visit(node: AnyNode, parent: AnyNode | undefined, scope: Scope, inAsync: boolean): void {
    const inner = map.get(node as never) ?? scope;
    if (node.type === "Identifier") {
      if (!isReference(node as never, parent as never) || node.name === "arguments") return;
      const owner = scope.find_owner(node.name);
      const isFree = owner === null && !classNames.has(node.name);
      found.push({ node, parent, isTopLevel: owner === root, isFree, inAsync });
      return;
    }
    let async = inAsync;
    if (/Function/.test(node.type)) async = node.async;
    else if (node.type === "StaticBlock" || node.type === "PropertyDefinition") async = false;
    for (const child of children(node)) visit(child, node, inner, async);
  }
}

export function walk(node: AnyNode, see: (node: AnyNode) => void): void {
  see(node);
  for (const child of children(node)) walk(child, see);
}

function* children(node: AnyNode): Iterable<AnyNode> {
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) yield* value.filter(isNode);
    else if (isNode(value)) yield value;
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof (value as Node | null)?.type === "string";
}

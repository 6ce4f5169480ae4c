/**
 * The little of a document's tree that the exporter needs, on parse5's plain objects: parse5 reads HTML as browsers do,
 * and loading jsdom, which has everything, takes longer than a whole export.
 */
import { defaultTreeAdapter, html, parseFragment, serialize, type DefaultTreeAdapterTypes as Tree } from "parse5";

export type Fragment = Tree.DocumentFragment;
export type Element = Tree.Element;
export type Text = Tree.TextNode;
export type Node = Tree.ChildNode;
type Parent = Tree.ParentNode;

export function parseHtml(source: string): Fragment {
  // Without scripts, as the reader may be: then `<noscript>` holds elements, not text.
  return parseFragment(source, { scriptingEnabled: false });
}

export function writeHtml(root: Fragment): string {
  return serialize(root, { scriptingEnabled: false });
}

/** The elements with one of these names, in the order of the document; all of them when no name is given. */
export function elements(root: Parent, ...names: string[]): Element[] {
  return [...descendants(root)].filter(
    (node): node is Element => isElement(node) && (names.length === 0 || names.includes(node.tagName)),
  );
}

export function texts(root: Parent): Text[] {
  return [...descendants(root)].filter(isText);
}

export function textOf(root: Parent): string {
  return texts(root)
    .map(({ value }) => value)
    .join("");
}

export function isElement(node: Node | Parent): node is Element {
  return "tagName" in node;
}

export function isText(node: Node): node is Text {
  return node.nodeName === "#text";
}

/** The nearest element with one of these names that encloses the node, which itself does not count. */
export function enclosing(node: Node, ...names: string[]): Element | undefined {
  for (let at = node.parentNode; at && isElement(at); at = at.parentNode) if (names.includes(at.tagName)) return at;
  return undefined;
}

export function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find((attribute) => attribute.name === name)?.value;
}

/** Keeps the attribute's place when there is one, as `setAttribute` does. */
export function setAttribute(element: Element, name: string, value: string): void {
  const found = element.attrs.find((attribute) => attribute.name === name);
  if (found) found.value = value;
  else element.attrs.push({ name, value });
}

export function removeAttribute(element: Element, name: string): void {
  element.attrs = element.attrs.filter((attribute) => attribute.name !== name);
}

export function addClass(element: Element, name: string): void {
  setAttribute(element, "class", [attribute(element, "class"), name].filter(Boolean).join(" "));
}

export function createElement(
  name: string,
  attributes: Record<string, string>,
  children: (Node | string)[] = [],
): Element {
  const attrs = Object.entries(attributes).map(([name, value]) => ({ name, value }));
  const element = defaultTreeAdapter.createElement(name, html.NS.HTML, attrs);
  for (const child of children) append(element, child);
  return element;
}

export function append(parent: Parent, child: Node | string): void {
  if (typeof child === "string") parent.childNodes.push(textNode(child, parent));
  else {
    remove(child);
    child.parentNode = parent;
    parent.childNodes.push(child);
  }
}

export function replace(node: Node, ...replacements: (Node | string)[]): void {
  const parent = node.parentNode;
  if (!parent) return;
  const nodes = replacements.map((item) => (typeof item === "string" ? textNode(item, parent) : item));
  parent.childNodes.splice(parent.childNodes.indexOf(node), 1, ...nodes);
  for (const item of nodes) item.parentNode = parent;
  if (!nodes.includes(node)) node.parentNode = null;
}

function remove(node: Node): void {
  if (node.parentNode) replace(node);
}

/** Takes all nodes out that are unwanted, with what they hold. */
export function prune(root: Parent, unwanted: (node: Node) => boolean): void {
  const parents: Parent[] = [root, ...elements(root)];
  for (const parent of parents) {
    if (parent.childNodes.some(unwanted)) parent.childNodes = parent.childNodes.filter((node) => !unwanted(node));
  }
}

function textNode(value: string, parentNode: Parent): Text {
  return { nodeName: "#text" as Text["nodeName"], value, parentNode };
}

/** A loop, not a recursion: a hostile tree may be deeper than the stack. */
function* descendants(root: Parent): Generator<Node> {
  const waiting = [...root.childNodes].reverse();
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    yield node;
    if (isElement(node)) for (let i = node.childNodes.length - 1; i >= 0; i--) waiting.push(node.childNodes[i]!);
  }
}

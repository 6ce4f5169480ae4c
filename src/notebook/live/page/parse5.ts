/** Stands for parse5 in the page: the browser's own parser, with parse5's tree and writer. For the bundle only. */
import { defaultTreeAdapter, type DefaultTreeAdapterTypes as Tree } from "parse5";

export { defaultTreeAdapter, html, serialize } from "parse5";

export function parseFragment(source: string): Tree.DocumentFragment {
  const template = document.createElement("template");
  template.innerHTML = source;
  const fragment = defaultTreeAdapter.createDocumentFragment();
  for (const node of template.content.childNodes) copy(node, fragment);
  return fragment;
}

function copy(node: ChildNode, parent: Tree.ParentNode): void {
  if (node instanceof Text) defaultTreeAdapter.insertText(parent, node.data);
  if (!(node instanceof Element)) return;
  const attributes = [...node.attributes].map(({ localName: name, value, namespaceURI, prefix }) => ({
    name,
    value,
    ...(namespaceURI === null ? {} : { namespace: namespaceURI, prefix: prefix ?? "" }),
  }));
  const namespace = node.namespaceURI as Parameters<typeof defaultTreeAdapter.createElement>[1];
  const element = defaultTreeAdapter.createElement(node.localName, namespace, attributes);
  defaultTreeAdapter.appendChild(parent, element);
  const inside = node instanceof HTMLTemplateElement ? node.content : node;
  for (const child of inside.childNodes) copy(child, element);
}

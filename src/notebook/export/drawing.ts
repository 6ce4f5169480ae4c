/** An SVG element that stands in HTML, as a picture: a file of its own, which has to be XML. */
import { escapeHtml } from "../escape.js";
import { attribute, createElement, type Element, elements, isElement, isText, type Node, textOf } from "./tree.js";

export function drawingToImage(svg: Element, fallbackText: string): Element {
  const attributes: Record<string, string> = {
    src: `data:image/svg+xml;base64,${Buffer.from(writeXml(svg)).toString("base64")}`,
    alt: describe(svg) ?? fallbackText,
  };
  for (const name of ["width", "height"]) {
    const value = attribute(svg, name);
    if (value && /^\d+(\.\d+)?(px)?$/.test(value)) attributes[name] = String(Math.round(Number.parseFloat(value)));
  }
  return createElement("img", attributes);
}

function describe(svg: Element): string | undefined {
  const own = elements(svg, "desc", "title")[0];
  const text = attribute(svg, "aria-label") ?? (own ? textOf(own) : "");
  return text.replace(/\s+/g, " ").trim() || undefined;
}

/** @param around the namespace of the element that holds this one */
function writeXml(node: Node, around = ""): string {
  if (isText(node)) return escapeXml(node.value);
  if (!isElement(node)) return "";
  const { tagName, namespaceURI } = node;
  const content = node.childNodes.map((child) => writeXml(child, namespaceURI)).join("");
  // A name that HTML lets pass but XML does not would make the whole picture unreadable.
  if (!/^[A-Za-z_][\w.-]*$/.test(tagName)) return content;
  const attributes = new Map<string, string>();
  if (namespaceURI !== around) attributes.set("xmlns", namespaceURI);
  if (around === "") attributes.set("xmlns:xlink", "http://www.w3.org/1999/xlink");
  for (const { name, prefix, value } of node.attrs) {
    const full = prefix ? `${prefix}:${name}` : name;
    if (/^(?:xlink:|xml:)?(?!xmlns)[A-Za-z_][\w.-]*$/.test(full)) attributes.set(full, value);
  }
  const written = [...attributes].map(([name, value]) => ` ${name}="${escapeXml(value)}"`).join("");
  return `<${tagName}${written}>${content}</${tagName}>`;
}

function escapeXml(text: string): string {
  return escapeHtml(text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, ""));
}

/** What the exporter changes in a fragment of the notebook before it is sanitised. */
import type { SplitPhrases } from "../../explain/phrases.js";
import { resolveImage } from "./images.js";
import { slug } from "./outline.js";
import { idPrefix } from "./sanitize.js";
import type { Strings } from "./strings.js";

export interface PrepareOptions {
  document: Document;
  strings: Strings;
  folder?: string;
  attachments?: Record<string, Record<string, unknown>>;
  /** Gives an anchor that the author wrote a name of its own in the page. */
  uniqueId: (text: string) => string;
  splitPhrases: SplitPhrases;
}

export function prepareFragment(body: HTMLElement, options: PrepareOptions): void {
  inlinePictures(body, options);
  embedImages(body, options);
  renameAnchors(body, options);
  unwrapSemantics(body);
  frameTables(body, options);
  joinJapaneseLines(body, options);
  breakHeadings(body, options);
}

/** An SVG drawing becomes a picture, in which no script runs and nothing loads. */
function inlinePictures(body: HTMLElement, { document, strings }: PrepareOptions): void {
  for (const svg of body.querySelectorAll("svg")) {
    if (svg.parentElement?.closest("svg")) continue;
    if (!svg.getAttribute("xmlns")) svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const image = document.createElement("img");
    image.setAttribute("src", `data:image/svg+xml;base64,${Buffer.from(svg.outerHTML).toString("base64")}`);
    image.setAttribute("alt", svgText(svg) ?? strings.noOutputText);
    for (const name of ["width", "height"]) {
      const value = svg.getAttribute(name);
      if (value && /^\d+(\.\d+)?(px)?$/.test(value))
        image.setAttribute(name, String(Math.round(Number.parseFloat(value))));
    }
    svg.replaceWith(image);
  }
}

function svgText(svg: Element): string | undefined {
  const text = svg.getAttribute("aria-label") ?? svg.querySelector("desc, title")?.textContent ?? "";
  return text.replace(/\s+/g, " ").trim() || undefined;
}

function embedImages(body: HTMLElement, { document, strings, folder, attachments }: PrepareOptions): void {
  for (const image of body.querySelectorAll("img")) {
    const source = image.getAttribute("src") ?? "";
    const found = resolveImage(source, folder, attachments);
    if ("data" in found) {
      image.setAttribute("src", found.data);
      if (!image.hasAttribute("alt")) image.setAttribute("alt", strings.noOutputText);
      continue;
    }
    const note = document.createElement("span");
    note.className = "missing";
    const text = `[${image.getAttribute("alt") || strings.noOutputText}]（${found.problem === "remote" ? strings.remoteImage : strings.missingImage}）`;
    if (/^https?:/i.test(source) && !image.closest("a")) {
      const link = document.createElement("a");
      link.href = source;
      link.textContent = text;
      note.append(link);
    } else note.textContent = text;
    image.replaceWith(note);
  }
}

/** Names in the notebook and links to them get the page's prefix, so that neither can touch the page's own. */
function renameAnchors(body: HTMLElement, { uniqueId }: PrepareOptions): void {
  for (const element of body.querySelectorAll("[id], a[name]")) {
    const name = element.getAttribute("id") || element.getAttribute("name") || "";
    if (!/^h[1-6]$/i.test(element.tagName) || !name.startsWith(idPrefix)) element.setAttribute("id", uniqueId(name));
    element.removeAttribute("name");
  }
  for (const link of body.querySelectorAll('a[href^="#"]')) {
    const fragment = link.getAttribute("href")!.slice(1);
    link.setAttribute("href", `#${idPrefix}${slug(decode(fragment))}`);
  }
}

/** KaTeX keeps the TeX source beside the formula; sanitisers rightly distrust the element that holds it. */
function unwrapSemantics(body: HTMLElement): void {
  for (const semantics of body.querySelectorAll("math semantics")) {
    const formula = semantics.firstElementChild;
    if (formula) semantics.replaceWith(formula);
  }
}

/** A table wider than a phone scrolls inside its own frame, which the keyboard must be able to reach. */
function frameTables(body: HTMLElement, { document, strings }: PrepareOptions): void {
  for (const table of body.querySelectorAll("table")) {
    for (const head of table.querySelectorAll("th")) {
      // pandas leaves the corner of its tables empty, but a heading that says nothing is none.
      if (head.childNodes.length === 0)
        head.replaceWith(Object.assign(document.createElement("td"), { colSpan: head.colSpan }));
    }
    if (table.parentElement?.closest("table")) continue;
    const frame = document.createElement("div");
    frame.className = "table";
    frame.setAttribute("tabindex", "0");
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", table.querySelector("caption")?.textContent?.trim() || strings.table);
    table.replaceWith(frame);
    frame.append(table);
  }
}

/** A line end in the source becomes a space on screen, which Japanese does not have between its words. */
function joinJapaneseLines(body: HTMLElement, { document }: PrepareOptions): void {
  eachText(body, document, (node) => {
    const text = node.data;
    if (!text.includes("\n") || node.parentElement?.closest("pre, code")) return;
    node.data = text.replace(
      /([\u3000-\u30ff\u3400-\u9fff\uff01-\uff60])[ \t]*\n[ \t]*(?=[\u3000-\u30ff\u3400-\u9fff\uff01-\uff60])/g,
      "$1",
    );
  });
}

function breakHeadings(body: HTMLElement, { document, splitPhrases }: PrepareOptions): void {
  for (const heading of body.querySelectorAll("h1, h2, h3, h4, h5, h6, th, summary")) {
    let broken = false;
    eachText(heading, document, (node) => {
      if (node.parentElement?.closest("code, ruby, math")) return;
      const phrases = splitPhrases(node.data);
      if (phrases.length < 2) return;
      broken = true;
      node.replaceWith(
        ...phrases.flatMap((phrase, i) => (i === 0 ? [phrase] : [document.createElement("wbr"), phrase])),
      );
    });
    if (broken) heading.classList.add("budoux");
  }
}

function eachText(root: Element, document: Document, change: (node: Text) => void): void {
  const walker = document.createTreeWalker(root, 4 /* NodeFilter.SHOW_TEXT */);
  const nodes: Text[] = [];
  while (walker.nextNode()) nodes.push(walker.currentNode as Text);
  for (const node of nodes) change(node);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

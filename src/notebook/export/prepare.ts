/** What the exporter changes in a fragment of the notebook before it is sanitised. */
import type { SplitPhrases } from "../../explain/phrases.js";
import { drawingToImage } from "./drawing.js";
import { imageData, resolveImage } from "./images.js";
import { slug } from "./outline.js";
import { idPrefix, outwards, safeAttribute } from "./rules.js";
import type { Strings } from "./strings.js";
import {
  addClass,
  append,
  attribute,
  createElement,
  type Element,
  elements,
  enclosing,
  type Fragment,
  prune,
  removeAttribute,
  replace,
  setAttribute,
  type Text,
  textOf,
  texts,
} from "./tree.js";

export interface PrepareOptions {
  strings: Strings;
  folder?: string;
  root?: string;
  /** The address of the page that another notebook becomes, if it does. */
  linkTo?: (notebook: string) => string | undefined;
  attachments?: Record<string, Record<string, unknown>>;
  /** Gives an anchor that the author wrote a name of its own in the page. */
  uniqueId: (text: string) => string;
  splitPhrases: SplitPhrases;
}

export function prepareFragment(body: Fragment, options: PrepareOptions): void {
  inlinePictures(body, options);
  leaveOut(body);
  showFirstFrames(body);
  embedImages(body, options);
  renameAnchors(body, options);
  unwrapSemantics(body);
  frameTables(body, options);
  joinJapaneseLines(body);
  breakHeadings(body, options);
}

/** An SVG drawing becomes a picture, in which no script runs and nothing loads. */
function inlinePictures(body: Fragment, { strings }: PrepareOptions): void {
  for (const svg of elements(body, "svg")) {
    if (!enclosing(svg, "svg")) replace(svg, drawingToImage(svg, strings.noOutputText));
  }
}

/** Comments, style sheets and attributes that mean nothing in the page; the sanitiser would remove them, but slowly. */
function leaveOut(body: Fragment): void {
  prune(body, (node) => node.nodeName === "#comment" || node.nodeName === "style");
  for (const element of elements(body)) {
    if (element.attrs.length === 0) continue;
    element.attrs = element.attrs.flatMap(({ name, value }) => {
      if (/^data-|^(?:target|xmlns|bgcolor)$/.test(name)) return [];
      if (name !== "class" && name !== "style") return { name, value: name === "value" ? value : value.trim() };
      const safe = safeAttribute(element.tagName, name, value);
      return safe === undefined ? [] : { name, value: safe };
    });
  }
}

/**
 * matplotlib's animations (`to_jshtml`) are an image that a script fills: without scripts its first frame is what remains.
 */
function showFirstFrames(body: Fragment): void {
  let image: Element | undefined;
  for (const element of elements(body, "img", "script")) {
    if (element.tagName === "img" && !attribute(element, "src")) image = element;
    else if (image && element.tagName === "script") {
      const [, type, data] = /"data:(image\/(?:png|jpeg));base64,([^"]+)"/.exec(textOf(element)) ?? [];
      if (type === undefined) continue;
      setAttribute(image, "src", imageData(type, data!));
      image = undefined;
    }
  }
}

function embedImages(body: Fragment, { strings, folder, root, attachments }: PrepareOptions): void {
  for (const image of elements(body, "img")) {
    const source = attribute(image, "src") ?? "";
    const found = resolveImage(source, folder, attachments, root);
    if ("data" in found) {
      setAttribute(image, "src", found.data);
      if (attribute(image, "alt") === undefined) setAttribute(image, "alt", strings.noOutputText);
      continue;
    }
    const reason = found.problem === "remote" ? strings.remoteImage : strings.missingImage;
    const text = `[${attribute(image, "alt") || strings.noOutputText}]（${reason}）`;
    const linked = /^https?:/i.test(source) && !enclosing(image, "a");
    const note = linked ? createElement("a", { href: source }, [text]) : text;
    replace(image, createElement("span", { class: "missing" }, [note]));
  }
}

/** Names in the notebook and links to them get the page's prefix, so that neither can touch the page's own. */
function renameAnchors(body: Fragment, { uniqueId, linkTo }: PrepareOptions): void {
  for (const element of elements(body)) {
    const { tagName } = element;
    const id = attribute(element, "id");
    const name = tagName === "a" ? attribute(element, "name") : undefined;
    if (id !== undefined || name !== undefined) {
      const wanted = id || name || "";
      if (!/^h[1-6]$/.test(tagName) || !wanted.startsWith(idPrefix)) setAttribute(element, "id", uniqueId(wanted));
      if (name !== undefined) removeAttribute(element, "name");
    }
    const href = tagName === "a" ? attribute(element, "href") : undefined;
    if (href === undefined) continue;
    removeAttribute(element, "rel");
    setAttribute(element, "href", inThePage(href, linkTo));
    if (!href.startsWith("#")) setAttribute(element, "rel", outwards);
  }
}

/** Links to a heading, here or in another notebook of the site, go to the name that it has in the page. */
function inThePage(href: string, linkTo: PrepareOptions["linkTo"]): string {
  const [, path = "", fragment] = /^([^#]*)(?:#(.*))?$/s.exec(href) ?? [];
  const page = /\.ipynb$/i.test(path) && !/^[a-z][a-z0-9+.-]*:|^\//i.test(path) ? linkTo?.(decode(path)) : undefined;
  if (path !== "" && page === undefined) return href;
  return (page ?? "") + (fragment === undefined ? "" : `#${idPrefix}${slug(decode(fragment))}`);
}

/** KaTeX keeps the TeX source beside the formula; sanitisers rightly distrust the element that holds it. */
function unwrapSemantics(body: Fragment): void {
  for (const semantics of elements(body, "semantics")) {
    const formula = enclosing(semantics, "math") && elements(semantics)[0];
    if (formula) replace(semantics, formula);
  }
}

/** A table wider than a phone scrolls inside its own frame, which the keyboard must be able to reach. */
function frameTables(body: Fragment, { strings }: PrepareOptions): void {
  for (const table of elements(body, "table")) {
    for (const head of elements(table, "th")) {
      // pandas leaves the corner of its tables empty, but a heading that says nothing is none.
      if (head.childNodes.length > 0) continue;
      const span = attribute(head, "colspan");
      replace(head, createElement("td", span === undefined ? {} : { colspan: span }));
    }
    if (enclosing(table, "table")) continue;
    const caption = elements(table, "caption")[0];
    const label = (caption && textOf(caption).trim()) || strings.table;
    const frame = createElement("div", { class: "table", tabindex: "0", role: "group", "aria-label": label });
    replace(table, frame);
    append(frame, table);
  }
}

/** A line end in the source becomes a space on screen, which Japanese does not have between its words. */
function joinJapaneseLines(body: Fragment): void {
  for (const node of texts(body)) {
    if (!node.value.includes("\n") || enclosing(node, "pre", "code")) continue;
    node.value = node.value.replace(
      /([\u3000-\u30ff\u3400-\u9fff\uff01-\uff60])[ \t]*\n[ \t]*(?=[\u3000-\u30ff\u3400-\u9fff\uff01-\uff60])/g,
      "$1",
    );
  }
}

function breakHeadings(body: Fragment, { splitPhrases }: PrepareOptions): void {
  for (const heading of elements(body, "h1", "h2", "h3", "h4", "h5", "h6", "th", "summary")) {
    let broken = false;
    for (const node of texts(heading)) {
      if (enclosing(node, "code", "ruby", "math")) continue;
      broken = breakPhrases(node, splitPhrases) || broken;
    }
    if (broken) addClass(heading, "budoux");
  }
}

function breakPhrases(node: Text, splitPhrases: SplitPhrases): boolean {
  const phrases = splitPhrases(node.value);
  if (phrases.length < 2) return false;
  replace(node, ...phrases.flatMap((phrase, i) => (i === 0 ? [phrase] : [createElement("wbr", {}), phrase])));
  return true;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The gate through which everything from a notebook enters the page. Nothing changes a fragment after this: what the
 * sanitiser returns is what the reader's browser gets.
 */
import createDOMPurify, { type Config, type DOMPurify } from "dompurify";
import { JSDOM } from "jsdom";
import { safeStyle } from "./css.js";

const tags = [
  // text and structure
  ..."a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup data dd del".split(
    " ",
  ),
  ..."details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins kbd li".split(
    " ",
  ),
  ..."mark menu meter nav ol p pre progress q rp rt ruby s samp section small span strike strong sub summary sup".split(
    " ",
  ),
  ..."table tbody td tfoot th thead time tr tt u ul var wbr audio video source track".split(" "),
  // MathML that KaTeX writes
  ..."math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt".split(
    " ",
  ),
  ..."mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none".split(" "),
];

const attributes = [
  ..."align alt border cellpadding cellspacing class colspan controls datetime dir height href id lang loop max min".split(
    " ",
  ),
  ..."muted open rel rowspan scope span src start reversed style tabindex title translate type value valign width".split(
    " ",
  ),
  ..."aria-label aria-hidden role".split(" "),
  ..."accent accentunder columnalign columnspacing depth display displaystyle fence linethickness lspace mathvariant".split(
    " ",
  ),
  ..."maxsize minsize movablelimits notation rowspacing rspace scriptlevel separator stretchy symmetric voffset".split(
    " ",
  ),
];

const config: Config = {
  ALLOWED_TAGS: tags,
  ALLOWED_ATTR: attributes,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOW_UNKNOWN_PROTOCOLS: false,
  // The hook below decides about addresses.
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|tel:|#|data:(?:image|audio|video)\/|[^:]*$|[^:/?#]*[/?#])/i,
  KEEP_CONTENT: true,
  RETURN_TRUSTED_TYPE: false,
};

/** Classes that our own renderers give; any other would let a notebook dress up as a part of the page. */
const knownClass =
  /^(?:hljs-[a-z_-]+|function_|class_|inherited__|code|math|katex|table|wide|budoux|chart|note|ansi-[a-z-]+|missing)$/;

/** Ids that the exporter itself gave (see outline.ts) all start so. No property of `document` does. */
export const idPrefix = "s-";

const imageData = /^data:image\/(?:png|jpeg|gif|webp|avif|bmp|svg\+xml)[;,]/i;
const mediaData = /^data:(?:audio|video)\/[\w.+-]+[;,]/i;

export interface Sanitizer {
  /** HTML text to an element in a document in which nothing loads and nothing runs. */
  parse(html: string): HTMLElement;
  /** The last step: safe HTML. */
  sanitize(root: HTMLElement): string;
  document: Document;
}

export function createSanitizer(): Sanitizer {
  const { window } = new JSDOM("");
  const purify = createDOMPurify(window as unknown as Parameters<typeof createDOMPurify>[0]);
  addHooks(purify);
  // One document for everything: each new one makes jsdom a little slower, and 10,000 cells would take minutes.
  const inert = window.document.implementation.createHTMLDocument("");
  return {
    document: inert,
    parse(html) {
      const root = inert.createElement("div");
      root.innerHTML = html;
      return root;
    },
    sanitize(root) {
      purify.sanitize(root, { ...config, IN_PLACE: true });
      return root.innerHTML;
    },
  };
}

function addHooks(purify: DOMPurify): void {
  purify.addHook("uponSanitizeAttribute", (element, data) => {
    const { attrName, attrValue } = data;
    if (attrName === "class") {
      data.attrValue = attrValue
        .split(/\s+/)
        .filter((name) => knownClass.test(name))
        .join(" ");
      if (data.attrValue === "") data.keepAttr = false;
    } else if (attrName === "style") {
      data.attrValue = safeStyle(attrValue);
      if (data.attrValue === "") data.keepAttr = false;
    } else if (attrName === "id") {
      data.keepAttr = attrValue.startsWith(idPrefix);
    } else if (attrName === "src") {
      const allowed = element.nodeName === "IMG" ? imageData : mediaData;
      if (!allowed.test(attrValue)) data.keepAttr = false;
    } else if (attrName === "href") {
      // A data: address in a link would be a page of the notebook's own; only pictures and sounds may be data.
      if (/^\s*data:/i.test(attrValue) || element.nodeName !== "A") data.keepAttr = false;
    } else if (attrName === "tabindex") {
      if (attrValue !== "0") data.keepAttr = false;
    } else if (attrName === "role" || attrName === "type") {
      if (!/^(?:img|group|math|none|1|a|A|i|I|disc|circle|square|(?:audio|video)\/[\w.+-]+)$/.test(attrValue))
        data.keepAttr = false;
    }
  });
  purify.addHook("afterSanitizeAttributes", (element) => {
    if (element.nodeName === "A" && element.hasAttribute("href")) {
      if (!element.getAttribute("href")!.startsWith("#")) element.setAttribute("rel", "noopener noreferrer");
    }
  });
}

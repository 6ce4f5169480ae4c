/**
 * The gate through which everything from a notebook enters the page. Nothing changes a fragment after this: what it
 * returns is what the reader's browser gets.
 */
import { createRequire } from "node:module";
import type { Config, DOMPurify } from "dompurify";
import { isInert } from "./inert.js";
import { withTimeLimit } from "./limits.js";
import { attributes, htmlTags, linkAddress, mathTags, outwards, safeAttribute } from "./rules.js";

/** Safe HTML. Most fragments are so already, and need no sanitiser; whatever is not goes to DOMPurify. */
export function sanitize(html: string): string {
  if (isInert(html)) return html;
  purify ??= loadDomPurify();
  const sanitizeAll = purify;
  return withTimeLimit(html.length, () => sanitizeAll(html));
}

type Sanitize = (html: string) => string;
let purify: Sanitize | undefined;

const config: Config = {
  ALLOWED_TAGS: [...htmlTags, ...mathTags],
  ALLOWED_ATTR: attributes,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOW_UNKNOWN_PROTOCOLS: false,
  // The hook below decides about addresses.
  ALLOWED_URI_REGEXP: linkAddress,
  ADD_URI_SAFE_ATTR: ["aria-label"],
  KEEP_CONTENT: true,
  RETURN_TRUSTED_TYPE: false,
  IN_PLACE: true,
};

/** DOMPurify by itself. Loaded by `require`, at once and only when it is needed: it takes longer than a whole export. */
export function loadDomPurify(): Sanitize {
  const require = createRequire(import.meta.url);
  const { JSDOM } = require("jsdom") as typeof import("jsdom");
  const createDOMPurify = require("dompurify") as (window: unknown) => DOMPurify;
  const { window } = new JSDOM("");
  const domPurify = createDOMPurify(window);
  addHooks(domPurify);
  let document: Document;
  let uses = 0;
  return (html) => {
    // jsdom keeps every iterator that DOMPurify makes in a document for as long as the program does not pause, and asks
    // each of them at every removal: 1000 fragments in one document take seconds, 10,000 take many minutes.
    if (uses++ % fragmentsPerDocument === 0) document = window.document.implementation.createHTMLDocument("");
    const root = document.createElement("div");
    root.innerHTML = html;
    domPurify.sanitize(root, config);
    return root.innerHTML;
  };
}

const fragmentsPerDocument = 50;

function addHooks(domPurify: DOMPurify): void {
  domPurify.addHook("uponSanitizeAttribute", (element, data) => {
    const value = safeAttribute(element.nodeName.toLowerCase(), data.attrName, data.attrValue);
    if (value === undefined) data.keepAttr = false;
    else data.attrValue = value;
  });
  domPurify.addHook("afterSanitizeAttributes", (element) => {
    if (element.nodeName !== "A") return;
    if (element.hasAttribute("href") && !element.getAttribute("href")!.startsWith("#"))
      element.setAttribute("rel", outwards);
  });
}

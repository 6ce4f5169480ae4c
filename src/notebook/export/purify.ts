/** How DOMPurify is set up, for whichever DOM it works on: jsdom's here, the browser's own in a page. */
import type { Config, DOMPurify } from "dompurify";
import { attributes, htmlTags, linkAddress, mathTags, outwards, safeAttribute } from "./rules.js";

export type Sanitize = (html: string) => string;

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

const fragmentsPerDocument = 50;

/** @param window the one for which `domPurify` was made */
export function createPurify(domPurify: DOMPurify, window: { document: Document }): Sanitize {
  addHooks(domPurify);
  let inert: Document;
  let uses = 0;
  return (html) => {
    // jsdom keeps every iterator that DOMPurify makes in a document for as long as the program does not pause, and asks
    // each of them at every removal: 1000 fragments in one document take seconds, 10,000 take many minutes.
    if (uses++ % fragmentsPerDocument === 0) inert = window.document.implementation.createHTMLDocument("");
    const root = inert.createElement("div");
    root.innerHTML = html;
    domPurify.sanitize(root, config);
    return root.innerHTML;
  };
}

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

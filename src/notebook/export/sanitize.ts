/**
 * The gate through which everything from a notebook enters the page. Nothing changes a fragment after this: what it
 * returns is what the reader's browser gets.
 */
import { createRequire } from "node:module";
import type { DOMPurify } from "dompurify";
import { isInert } from "./inert.js";
import { withTimeLimit } from "./limits.js";
import { createPurify, type Sanitize } from "./purify.js";

/** Safe HTML. Most fragments are so already, and need no sanitiser; whatever is not goes to DOMPurify. */
export function sanitize(html: string): string {
  if (isInert(html)) return html;
  // Before the clock starts: a module must not be stopped while it loads.
  purify ??= loadPurify();
  const purifyLoaded = purify;
  return withTimeLimit(html.length, () => purifyLoaded(html));
}

let purify: Sanitize | undefined;

/** DOMPurify by itself. By `require`, at once and only when it is needed: jsdom takes longer to load than a whole export. */
export function loadPurify(): Sanitize {
  const require = createRequire(import.meta.url);
  const { JSDOM } = require("jsdom") as typeof import("jsdom");
  const createDOMPurify = require("dompurify") as (window: unknown) => DOMPurify;
  const { window } = new JSDOM("");
  return createPurify(createDOMPurify(window), window);
}

/** Stands for export/sanitize.ts in the page: the same rules, on the browser's own document. */
import createDOMPurify from "dompurify";
import { createPurify } from "../../export/purify.js";

const purify = createPurify(createDOMPurify(window), window);

/** Everything goes through DOMPurify: here its speed does not matter. */
export function sanitize(html: string): string {
  return purify(html);
}

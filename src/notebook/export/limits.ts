/** Input that would keep a parser busy for minutes, recognised in linear time before it gets there. */

import { runInThisContext } from "node:vm";

/** Shown instead as it was written. Far beyond what people write, far below what hurts. */
export class TooComplexError extends Error {
  override name = "TooComplexError";
}

const deepestNesting = 300;
const deepestMarkdown = 60;
const longestMarkdown = 3_000_000;
const mostTags = 150_000;

/** For all texts of a notebook that turn out to be too complex; when it is used up, long texts are not tried any more. */
const secondsForAll = 40;
let secondsLost = 0;

/** At the start of a notebook. */
export function resetTimeLimit(): void {
  secondsLost = 0;
}

/** Short texts finish soon whatever they hold; only for longer ones is a watchdog worth its cost. */
const unwatchedLength = 10_000;
const seconds = 8;
const slot = Symbol.for("kaisetsu.timed");

/**
 * Runs a parser, and stops it in the middle when it takes too long: against input for which it needs time in the square
 * of its length. The `vm` module is the one way in Node to interrupt code that never yields.
 * @throws TooComplexError when the time is up
 */
export function withTimeLimit<T>(length: number, work: () => T): T {
  if (length < unwatchedLength) return work();
  if (secondsLost >= secondsForAll) throw new TooComplexError("too many texts that take too long");
  const world = globalThis as Record<symbol, unknown>;
  world[slot] = work;
  try {
    return runInThisContext(`globalThis[Symbol.for("kaisetsu.timed")]()`, { timeout: seconds * 1000 }) as T;
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    secondsLost += seconds;
    throw new TooComplexError(`not parsed within ${seconds} s`);
  } finally {
    delete world[slot];
  }
}

/** The second way when the first takes too long or needs too much of the stack. */
export function withinLimits<T>(length: number, work: () => T, instead: () => T): T {
  try {
    return withTimeLimit(length, work);
  } catch (error) {
    if (tooMuch(error)) return instead();
    throw error;
  }
}

/** A RangeError is the stack: some nesting that the limits do not know. */
export function tooMuch(error: unknown): boolean {
  return error instanceof TooComplexError || error instanceof RangeError;
}

export function checkMarkdown(markdown: string): void {
  if (markdown.length > longestMarkdown) throw new TooComplexError(`${markdown.length} characters of Markdown`);
  const markers = new RegExp(`^(?:[ \\t]*(?:>|[-*+]|\\d{1,9}[.)])){${deepestMarkdown}}`, "m");
  const indented = /^[ \t]{200,}(?:[-*+]|\d{1,9}[.)])[ \t]/m;
  // A ruler of dashes is no nesting.
  if (markers.test(markdown.replace(/^[ \t]*(?:[-*_=][ \t]*)+$/gm, "")) || indented.test(markdown)) {
    throw new TooComplexError("quotations or lists nested too deeply");
  }
}

export function checkHtml(html: string): void {
  let depth = 0;
  let tags = 0;
  for (const [tag] of html.matchAll(
    /<(?:\/(?=[a-zA-Z])|(?=[a-zA-Z]))(?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr|p|li|td|th|tr|dt|dd|option|thead|tbody)\b)/gi,
  )) {
    depth = tag === "<" ? depth + 1 : Math.max(0, depth - 1);
    tags++;
    if (depth > deepestNesting) throw new TooComplexError("elements nested too deeply");
  }
  if (tags > mostTags || (html.match(/<[a-zA-Z]/g)?.length ?? 0) > mostTags)
    throw new TooComplexError("too many elements");
}

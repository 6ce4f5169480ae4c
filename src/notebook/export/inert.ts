/**
 * The short way past the sanitiser: recognises HTML that a sanitiser would return unchanged, without a parser.
 *
 * Why that is safe: a browser leaves the plain state of its tokeniser only at a comment, at `<![CDATA[`, or after one of
 * the elements whose content is raw text (script, style, title, textarea, xmp, iframe, noembed, noframes, noscript,
 * plaintext). None of these passes, so the tags that are seen here are all the tags that any browser sees, whatever tree it
 * builds from them; and each has a name and attributes from the list of what cannot run or load anything. The rules about
 * nesting only see to it that the tree is the one that is written: a text that they refuse goes to the sanitiser.
 */
import { attributes, htmlTags, linkAddress, mathTags, outwards, safeAttribute } from "./rules.js";

const set = (words: string) => new Set(words.split(" "));
const html = new Set(htmlTags);
const math = new Set(mathTags);
const known = new Set(attributes);
const empty = set("br col hr img source track wbr");
/** Before these a browser ends the paragraph that is open. */
const endsParagraph = set(
  "address article aside blockquote center dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup " +
    "hr li menu nav ol p pre section summary table ul",
);
/** Elsewhere a browser puts these in another place, or leaves them out. */
const parents: Record<string, Set<string>> = {
  li: set("ul ol menu"),
  dt: set("dl"),
  dd: set("dl"),
  rt: set("ruby"),
  rp: set("ruby"),
  caption: set("table"),
  colgroup: set("table"),
  thead: set("table"),
  tbody: set("table"),
  tfoot: set("table"),
  col: set("colgroup"),
  tr: set("thead tbody tfoot"),
  td: set("tr"),
  th: set("tr"),
};
/** What stands in these beside their own children is moved out of the table. */
const tableParts = set("table colgroup thead tbody tfoot tr");
const heading = /^h[1-6]$/;

const anyTag = /<(\/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"<>]*")*)>/y;
const anyAttribute = / ([a-z-]+)="([^"]*)"/g;
/** Never in a text as it is serialised: what a second parser could read in another way. */
const oddText = /[<>\r\0\u00a0]|&(?!(?:amp|lt|gt|nbsp);)/;
const oddValue = /[\r\0\u00a0]|&(?!(?:amp|quot|nbsp);)/;
const references: Record<string, string> = { "&amp;": "&", "&quot;": '"', "&nbsp;": "\u00a0" };

/** Whether the sanitiser would give back this very text. False means no more than: ask it. */
export function isInert(text: string): boolean {
  const open: string[] = [];
  const count = { p: 0, a: 0, math: 0 } as Record<string, number>;
  let at = 0;
  while (at < text.length) {
    const next = text.indexOf("<", at);
    const words = text.slice(at, next < 0 ? text.length : next);
    if (oddText.test(words)) return false;
    const parent = open.at(-1) ?? "";
    if (tableParts.has(parent) && /[^ \t\n\f]/.test(words)) return false;
    if (next < 0) break;
    anyTag.lastIndex = next;
    const match = anyTag.exec(text);
    if (!match) return false;
    at = anyTag.lastIndex;
    const [, slash, name, written] = match as unknown as [string, string, string, string];
    if (slash !== "") {
      if (open.pop() !== name || written !== "") return false;
      if (name in count) count[name]!--;
      continue;
    }
    if (!mayStand(name, parent, count) || !hasSafeAttributes(name, written)) return false;
    // A line end right after this tag is dropped by the parser.
    if (name === "pre" && text[at] === "\n") return false;
    if (empty.has(name)) continue;
    open.push(name);
    if (name in count) count[name]!++;
  }
  return open.length === 0;
}

function mayStand(name: string, parent: string, count: Record<string, number>): boolean {
  if (count.math! > 0) return math.has(name) && name !== "math";
  if (name === "math") return !tableParts.has(parent);
  if (!html.has(name)) return false;
  if (count.p! > 0 && endsParagraph.has(name)) return false;
  if (count.a! > 0 && name === "a") return false;
  if (heading.test(name) && heading.test(parent)) return false;
  const allowed = parents[name];
  return allowed ? allowed.has(parent) : !tableParts.has(parent);
}

function hasSafeAttributes(tag: string, written: string): boolean {
  if (written === "") return true;
  const found = new Map<string, string>();
  for (const [, name, raw] of written.matchAll(anyAttribute) as Iterable<[string, string, string]>) {
    if (!known.has(name) || found.has(name) || oddValue.test(raw)) return false;
    const value = raw.replace(/&(?:amp|quot|nbsp);/g, (reference) => references[reference]!);
    if (value !== value.trim() || safeAttribute(tag, name, value) !== value || !isPlain(name, value)) return false;
    found.set(name, value);
  }
  const href = found.get("href");
  const rel = found.get("rel");
  if (href === undefined || href.startsWith("#")) return rel === undefined;
  // The sanitiser adds it as the last one.
  return rel === outwards && [...found.keys()].at(-1) === "rel";
}

/** Beyond what `safeAttribute` asks: values that no sanitiser looks at twice. */
function isPlain(name: string, value: string): boolean {
  switch (name) {
    case "alt":
    case "title":
    case "aria-label":
      return true;
    case "src":
      return /^data:[\w.+-]+\/[\w.+-]+;base64,[A-Za-z0-9+/=]*$/.test(value);
    case "href":
      return /^(?:https?:\/\/|mailto:|[^\s:/?#]*(?:[/?#]|$))[^\s\0-\x20\x7f]*$/i.test(value) && linkAddress.test(value);
    case "id":
      return /^[^\s<>&"]+$/.test(value);
    case "style":
      return true;
    default:
      return value.length <= 200 && /^[\w .,%#+/()-]*$/.test(value);
  }
}

/** What of a notebook's HTML may stand in the page: elements, attributes, and which values those may have. */
import { safeStyle } from "./css.js";

const words = (...lines: string[]) => lines.flatMap((line) => line.split(" "));

export const htmlTags = words(
  "a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup data dd del",
  "details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins kbd li",
  "mark menu meter nav ol p pre progress q rp rt ruby s samp section small span strike strong sub summary sup",
  "table tbody td tfoot th thead time tr tt u ul var wbr audio video source track",
);

/** Those that KaTeX writes. */
export const mathTags = words(
  "math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt",
  "mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none",
);

export const attributes = words(
  "align alt border cellpadding cellspacing class colspan controls datetime dir height href id lang loop max min",
  "muted open rel rowspan scope span src start reversed style tabindex title translate type value valign width",
  "aria-label aria-hidden role",
  "accent accentunder columnalign columnspacing depth display displaystyle fence linethickness lspace mathvariant",
  "maxsize minsize movablelimits notation rowspacing rspace scriptlevel separator stretchy symmetric voffset",
);

/** Ids that the exporter itself gave (see outline.ts) all start so. No property of `document` does. */
export const idPrefix = "s-";

/** What a link that leaves the page must say. */
export const outwards = "noopener noreferrer";

/** Where links may lead, as a sanitiser sees it: the web, mail, telephone, or an address without a scheme. */
export const linkAddress = /^(?:https?:|mailto:|tel:|#|data:(?:image|audio|video)\/|[^:]*$|[^:/?#]*[/?#])/i;

/** Classes that our own renderers give; any other would let a notebook dress up as a part of the page. */
const knownClass =
  /^(?:hljs-[a-z_-]+|function_|class_|inherited__|code|math|katex|table|wide|budoux|chart|note|ansi-[a-z-]+|missing)$/;

const imageData = /^data:image\/(?:png|jpeg|gif|webp|avif|bmp|svg\+xml)[;,]/i;
const mediaData = /^data:(?:audio|video)\/[\w.+-]+[;,]/i;

/**
 * What remains of an attribute that is allowed at all; undefined: nothing.
 *
 * @param tag in small letters
 */
export function safeAttribute(tag: string, name: string, value: string): string | undefined {
  const kept = (allowed: boolean) => (allowed ? value : undefined);
  switch (name) {
    case "class":
      return (
        value
          .split(/\s+/)
          .filter((name) => knownClass.test(name))
          .join(" ") || undefined
      );
    case "style":
      return safeStyle(value) || undefined;
    case "id":
      return kept(value.startsWith(idPrefix));
    case "src":
      return kept((tag === "img" ? imageData : mediaData).test(value));
    case "href":
      // A data: address in a link would be a page of the notebook's own; only pictures and sounds may be data.
      return kept(tag === "a" && !/^\s*data:/i.test(value));
    case "tabindex":
      return kept(value === "0");
    case "role":
    case "type":
      return kept(/^(?:img|group|math|none|1|a|A|i|I|disc|circle|square|(?:audio|video)\/[\w.+-]+)$/.test(value));
    default:
      return value;
  }
}

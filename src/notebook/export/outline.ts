/** Heading levels, ids and the table of contents: one `h1`, no level skipped, no id twice. */
import { idPrefix } from "./sanitize.js";

export interface Heading {
  level: number;
  id: string;
  text: string;
}

export interface Outline {
  /** Headings of the page in order, without those inside panels and outputs. */
  headings: Heading[];
  /** Gives the headings in the fragment their level and id. @param listed whether they go into the contents */
  apply(body: HTMLElement, listed: boolean): void;
  uniqueId(text: string): string;
}

export function createOutline(titleLevelUsed: (level: number, text: string) => number): Outline {
  const used = new Set<string>();
  const headings: Heading[] = [];
  let pageLevel = 1;

  const uniqueId = (text: string) => {
    const base = idPrefix + (slug(text) || "section");
    let id = base;
    for (let i = 2; used.has(id); i++) id = `${base}-${i}`;
    used.add(id);
    return id;
  };

  return {
    headings,
    uniqueId,
    apply(body, listed) {
      let level = pageLevel;
      let base: number | undefined;
      for (const element of body.querySelectorAll("h1,h2,h3,h4,h5,h6")) {
        const text = (element.textContent ?? "").replace(/\s+/g, " ").trim();
        const written = Number(element.tagName[1]);
        if (listed) level = Math.min(titleLevelUsed(written, text), level + 1, 6);
        else {
          // Inside a panel only the differences between its own levels count.
          base ??= written - (pageLevel + 1);
          level = Math.min(6, Math.max(pageLevel + 1, Math.min(written - base, level + 1)));
        }
        const heading = rename(element, `h${level}`);
        heading.setAttribute("id", uniqueId(text));
        if (listed) {
          pageLevel = level;
          if (level > 1) headings.push({ level, id: heading.id, text });
        }
      }
    },
  };
}

/** As JupyterLab forms its anchors, but safe in an attribute and in an address: spaces become hyphens. */
export function slug(text: string): string {
  return text
    .trim()
    .replace(/[\s]+/g, "-")
    .replace(/[^\p{L}\p{N}._-]/gu, "")
    .slice(0, 80);
}

function rename(element: Element, tag: string): Element {
  const copy = element.ownerDocument.createElement(tag);
  for (const { name, value } of element.attributes) if (name !== "id") copy.setAttribute(name, value);
  copy.append(...element.childNodes);
  element.replaceWith(copy);
  return copy;
}

/** Heading levels, ids and the table of contents: one `h1`, no level skipped, no id twice. */
import { idPrefix } from "./rules.js";
import { elements, type Fragment, setAttribute, textOf } from "./tree.js";

export interface Heading {
  level: number;
  id: string;
  text: string;
}

export interface Outline {
  /** Headings of the page in order, without those inside panels and outputs. */
  headings: Heading[];
  /** Gives the headings in the fragment their level and id. @param listed whether they go into the contents */
  apply(body: Fragment, listed: boolean): void;
  uniqueId(text: string): string;
}

/** @param pageLevelOf which level a heading of the page means, before levels that it skips are closed */
export function createOutline(pageLevelOf: (written: number, text: string) => number): Outline {
  const used = new Set<string>();
  const repeats = new Map<string, number>();
  const headings: Heading[] = [];
  /** Headings that enclose the present place, as written and as given. */
  const enclosing: { written: number; level: number }[] = [];

  const uniqueId = (text: string) => {
    const base = idPrefix + (slug(text) || "section");
    let id = base;
    while (used.has(id)) {
      const next = (repeats.get(base) ?? 1) + 1;
      repeats.set(base, next);
      id = `${base}-${next}`;
    }
    used.add(id);
    return id;
  };

  return {
    headings,
    uniqueId,
    apply(body, listed) {
      const stack = listed ? enclosing : [...enclosing];
      const outside = stack.length;
      for (const element of elements(body, "h1", "h2", "h3", "h4", "h5", "h6")) {
        const text = textOf(element).replace(/\s+/g, " ").trim();
        const tagLevel = Number(element.tagName[1]);
        const written = listed ? pageLevelOf(tagLevel, text) : tagLevel;
        // Inside a panel only the differences between its own levels count.
        while (stack.length > (listed ? 0 : outside) && stack.at(-1)!.written >= written) stack.pop();
        const level = written === 1 && listed ? 1 : Math.min(6, (stack.at(-1)?.level ?? 1) + 1);
        stack.push({ written, level });
        const id = uniqueId(text);
        element.tagName = element.nodeName = `h${level}`;
        setAttribute(element, "id", id);
        if (listed && level > 1) headings.push({ level, id, text });
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

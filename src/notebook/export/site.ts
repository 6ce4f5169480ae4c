/** A folder of notebooks to a small site: a page for each, in reading order, and an index. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { basename, dirname, join, relative } from "node:path/posix";
import { parse } from "yaml";
import { readNotebook } from "../document.js";
import { escapeHtml } from "../escape.js";
import { exportHtml } from "./export.js";
import { renderPage } from "./page.js";
import { strings as allStrings } from "./strings.js";
import { firstSentence, pageTitle } from "./title.js";

export interface SiteOptions {
  /** Language of the pages' own words. Default "ja". */
  ui?: "ja" | "en";
  /** Language of the notebooks' text. Default "ja". */
  lang?: string;
  /** Of the index. Default: the folder's name. */
  title?: string;
}

/** A notebook that could not be exported; the site is made without it. */
export interface SiteProblem {
  /** Path of the notebook inside the folder. */
  notebook: string;
  message: string;
}

interface Entry {
  /** Path inside the folder, with `/`. */
  notebook: string;
  page: string;
  title: string;
  summary: string;
}

/**
 * Gives each finished page to `write` (path inside the site, HTML), the index last.
 *
 * @param without folders inside that are no part of it, such as an older site
 */
export async function exportSite(
  folder: string,
  write: (path: string, html: string) => void,
  options: SiteOptions = {},
  without: readonly string[] = [],
): Promise<{ pages: number; problems: SiteProblem[] }> {
  const problems: SiteProblem[] = [];
  const attempt = async <T>(notebook: string, work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      problems.push({ notebook, message: (error as Error).message });
      return undefined;
    }
  };
  const found: Entry[] = [];
  for (const notebook of findNotebooks(folder, without)) {
    const entry = await attempt(notebook, () => describe(folder, notebook));
    if (entry) found.push(entry);
  }
  let entries = inReadingOrder(found, folder);
  const pageOf = new Map(entries.map(({ notebook, page }) => [notebook, page]));
  const written = new Set<Entry>();
  for (const entry of entries) {
    const html = await attempt(entry.notebook, () => exportPage(folder, entry, entries, pageOf, options));
    if (html === undefined) continue;
    write(entry.page, html);
    written.add(entry);
  }
  entries = entries.filter((entry) => written.has(entry));
  write("index.html", indexPage(entries, options.title ?? basename(resolve(folder)), options));
  return { pages: entries.length, problems };
}

function describe(folder: string, name: string): Entry {
  const notebook = readNotebook(join(folder, name), { repair: true });
  const page = name.replace(/\.ipynb$/i, ".html");
  return {
    notebook: name,
    // That name is the list's.
    page: page === "index.html" ? "index-notebook.html" : page,
    title: pageTitle(notebook, basename(name)),
    summary: firstSentence(notebook),
  };
}

async function exportPage(
  folder: string,
  entry: Entry,
  entries: Entry[],
  pageOf: Map<string, string>,
  { ui, lang }: SiteOptions,
): Promise<string> {
  const { notebook, page } = entry;
  const at = entries.indexOf(entry);
  const to = (target: string) => address(relative(dirname(page), target));
  const link = (neighbour: Entry | undefined) => neighbour && { href: to(neighbour.page), title: neighbour.title };
  return exportHtml(readNotebook(join(folder, notebook), { repair: true }), {
    name: basename(notebook),
    folder: join(folder, dirname(notebook)),
    root: folder,
    ui,
    lang,
    links: { index: to("index.html"), previous: link(entries[at - 1]), next: link(entries[at + 1]) },
    linkTo(path) {
      const target = pageOf.get(join(dirname(notebook), path));
      return target === undefined ? undefined : to(target);
    },
  });
}

function indexPage(entries: Entry[], title: string, { ui = "ja", lang = "ja" }: SiteOptions): string {
  const items = entries.map(
    ({ page, title, summary }) =>
      `<li><a href="${escapeHtml(address(page))}">${escapeHtml(title)}</a>${summary === "" ? "" : `<p>${escapeHtml(summary)}</p>`}</li>`,
  );
  const body = `<ol class="pages">${items.join("\n")}</ol>`;
  return renderPage({ title, body, headings: [], strings: allStrings[ui], lang, needsTitle: true });
}

/** Paths of the notebooks in the folder and in those below it, with `/`. */
function findNotebooks(folder: string, without: readonly string[]): string[] {
  const found: string[] = [];
  const look = (inside: string) => {
    for (const entry of readdirSync(join(folder, inside), { withFileTypes: true })) {
      const path = join(inside, entry.name);
      if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
      if (entry.isDirectory()) {
        if (!without.includes(resolve(folder, path))) look(path);
      } else if (entry.isFile() && /\.ipynb$/i.test(entry.name)) found.push(path);
    }
  };
  look("");
  return found;
}

/** As `_toc.yml` of Jupyter Book says, if there is one; what it does not name follows in the order of names, 2 before 10. */
function inReadingOrder(entries: Entry[], folder: string): Entry[] {
  const listed = readContents(join(folder, "_toc.yml"));
  const { compare } = new Intl.Collator("ja", { numeric: true });
  const place = ({ notebook }: Entry) => {
    const at = listed.indexOf(notebook.replace(/\.ipynb$/i, ""));
    return at < 0 ? listed.length : at;
  };
  const byName = (a: Entry, b: Entry) => {
    const [first, second] = [a.notebook.split("/"), b.notebook.split("/")];
    for (let i = 0; ; i++) {
      // The notebooks of a folder come before those of the folders in it.
      if (first.length !== second.length && (i === first.length - 1 || i === second.length - 1))
        return first.length - second.length;
      const order = compare(first[i]!, second[i]!);
      if (order !== 0 || i === first.length - 1) return order;
    }
  };
  return entries.sort((a, b) => place(a) - place(b) || byName(a, b));
}

/** The names of files in the order of the list, however its parts and chapters are nested. */
function readContents(path: string): string[] {
  if (!existsSync(path)) return [];
  const names: string[] = [];
  const collect = (value: unknown, depth = 0) => {
    if (typeof value !== "object" || value === null || depth > 20) return;
    for (const [key, inner] of Object.entries(value)) {
      if ((key === "root" || key === "file") && typeof inner === "string") {
        names.push(join(inner).replace(/\.(ipynb|md)$/i, ""));
      } else collect(inner, depth + 1);
    }
  };
  collect(parse(readFileSync(path, "utf8")));
  return names;
}

/** A path as an address: with what would mean something else there escaped. */
function address(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

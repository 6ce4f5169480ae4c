/**
 * What `--live` adds to a page: the code that runs its cells, and the files that they read, as text that nothing looks at
 * before the reader presses Run. The code is bundled when kaisetsu is built (scripts/bundle-live.js).
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { gzipSync } from "node:zlib";
import { packArchive } from "../live/archive.js";
import { encodeBase91 } from "../live/base91.js";
import { LivePageError } from "../live/errors.js";
import type { LiveCell, LiveManifest } from "../live/manifest.js";
import { liveStyle } from "../live/style.js";
import { packWeights } from "../live/weights.js";
import { liveWords } from "../live/words.js";
import { type Cell, type CodeCell, isCode, type Notebook, tagsOf } from "../nbformat.js";
import { injectParameters } from "../run/parameters.js";

/** A file that the page carries, under the path by which the cells open it. */
export interface LiveFile {
  path: string;
  data: Uint8Array;
}

/** What the notebook says about runs in a page, in its metadata under `kaisetsu.live`. */
interface LiveMetadata {
  /** Files and folders that the cells read, relative to the notebook. */
  files?: string[];
  /** Values that replace those of the cell tagged `parameters`: a browser computes more slowly. */
  parameters?: Record<string, unknown>;
}

/** What `--live` puts into the page. */
export interface LiveParts {
  style: string;
  /** Source expressions for `script-src`, and a directive of its own. */
  scriptSources: string;
  workerSource: string;
  /** The last elements of the body. */
  tags: string;
}

/**
 * Reads the files that the notebook names in its metadata, and those of `extra`.
 *
 * The metadata may come from a stranger: it reaches only what lies in the notebook's own folder.
 * @param extra paths that the user gave, relative to the current folder; they may lie anywhere
 * @throws LivePageError for a file that is missing or lies elsewhere
 */
export function readLiveFiles(notebook: Notebook, folder: string, extra: string[] = []): LiveFile[] {
  const named = liveMetadata(notebook).files ?? [];
  if (!Array.isArray(named) || !named.every((path) => typeof path === "string")) {
    throw new LivePageError("metadata.kaisetsu.live.files must be a list of paths");
  }
  const files = new Map<string, string>();
  for (const path of named) {
    const found = existing(resolve(folder, path), `metadata.kaisetsu.live.files names ${path}`);
    const root = realpathSync(folder);
    if (found !== root && !found.startsWith(root + sep)) {
      throw new LivePageError(
        `metadata.kaisetsu.live.files: ${path} lies outside of the notebook's folder; give it with --live-file`,
      );
    }
    collect(found, join(path), files, root);
  }
  for (const path of extra) {
    collect(existing(resolve(path), `--live-file ${path}`), relative(folder, resolve(path)), files);
  }
  return [...files].map(([path, file]) => ({ path: path.split(sep).join("/"), data: readFileSync(file) }));
}

/**
 * The notebook as the page runs it: with the page's parameters in a cell of their own, which the reader sees.
 * @throws LivePageError when its cells are not TypeScript, or a value does not fit
 */
export async function prepareLiveNotebook(notebook: Notebook, ui: "ja" | "en"): Promise<Notebook> {
  const { kernelspec, language_info } = notebook.metadata;
  const language = language_info?.name ?? kernelspec?.language;
  if (language !== undefined && !/^(?:typescript|javascript)$/i.test(String(language))) {
    throw new LivePageError(`a live page runs TypeScript, but this notebook's cells are ${language}`);
  }
  const { parameters } = liveMetadata(notebook);
  if (typeof parameters !== "object" || parameters === null || Object.keys(parameters).length === 0) return notebook;
  const has = (tag: string) => (cell: Cell) => isCode(cell) && tagsOf(cell).includes(tag);
  const injected = { ...notebook, cells: [...notebook.cells] };
  await injectParameters(injected, parameters).catch((error: Error) => {
    throw new LivePageError(`metadata.kaisetsu.live.parameters: ${error.message}`, { cause: error });
  });
  const { source } = injected.cells.find(has("injected-parameters")) as CodeCell;
  const cell: CodeCell = {
    cell_type: "code",
    id: "live-parameters",
    metadata: {},
    execution_count: null,
    outputs: [],
    source: source.replace(/^.*/, `// ${liveWords[ui].parameters}`),
  };
  // After what `-p` has given, too: the page's own values are what makes a run in it bearable.
  const after = Math.max(
    notebook.cells.findIndex(has("parameters")),
    notebook.cells.findIndex(has("injected-parameters")),
  );
  return { ...notebook, cells: notebook.cells.toSpliced(after + 1, 0, cell) };
}

export function createLiveParts(cells: LiveCell[], files: LiveFile[], ui: "ja" | "en"): LiveParts {
  const boot = bundle("boot.js").toString();
  const frameScript = bundle("frame.js").toString();
  const packed = files.map(({ path, data }): [string, Uint8Array] =>
    path.endsWith(".safetensors") ? packWeights(path, data) : [path, data],
  );
  const manifest: LiveManifest = {
    cells,
    words: liveWords[ui],
    ui,
    frame: frameDocument(frameScript),
    hasPackedWeights: files.some(({ path }) => path.endsWith(".safetensors")),
  };
  const inert = (name: string, text: string) =>
    `<script type="application/octet-stream" id="kaisetsu-live-${name}">${text}</script>`;
  const tags = [
    inert("manifest", JSON.stringify(manifest).replace(/</g, "\\u003c")),
    inert("page", encodeBase91(bundle("page.gz"))),
    inert("runtime", encodeBase91(bundle("runtime.gz"))),
    ...(packed.length > 0 ? [inert("files", encodeBase91(gzipSync(packArchive(new Map(packed)), { level: 9 })))] : []),
    `<script>${boot}</script>`,
  ];
  return {
    style: liveStyle,
    scriptSources: `'sha256-${sha256(boot)}' 'sha256-${sha256(frameScript)}' blob: 'wasm-unsafe-eval'`,
    workerSource: "worker-src blob:; ",
    tags: tags.join("\n"),
  };
}

/** A frame without the page's origin, in which only our script and what it makes itself can run, and nothing can load. */
function frameDocument(script: string): string {
  const policy = `default-src 'none'; script-src 'sha256-${sha256(script)}' blob: 'wasm-unsafe-eval'; worker-src blob:`;
  return `<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>kaisetsu</title><script>${script}</script>`;
}

function liveMetadata({ metadata }: Notebook): LiveMetadata {
  const own = (metadata as { kaisetsu?: { live?: LiveMetadata } }).kaisetsu?.live;
  return typeof own === "object" && own !== null ? own : {};
}

function existing(path: string, what: string): string {
  if (!existsSync(path)) throw new LivePageError(`${what}, but there is no ${path}`);
  return realpathSync(path);
}

/** @param root links that lead out of it are left out */
function collect(file: string, path: string, files: Map<string, string>, root?: string): void {
  if (!statSync(file).isDirectory()) {
    files.set(path, file);
    return;
  }
  for (const name of readdirSync(file).sort()) {
    if (name.startsWith(".") || name.endsWith(".md")) continue;
    const inside = realpathSync(join(file, name));
    if (root === undefined || inside.startsWith(root + sep)) collect(inside, join(path, name), files, root);
  }
}

function bundle(name: string): Buffer {
  const path = new URL(`../live/bundles/${name}`, import.meta.url);
  try {
    return readFileSync(path);
  } catch (error) {
    throw new LivePageError(`the code for live pages has not been built: run \`npm run build\` in kaisetsu's folder`, {
      cause: error,
    });
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

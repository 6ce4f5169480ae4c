/**
 * Bundles what `kaisetsu export --live` puts into a page, out of what tsc has built:
 *
 * - boot.js     a part of the page itself: the buttons, and loading the rest when one is pressed
 * - page.js     the editor, the display of outputs (gzip)
 * - runtime     the worker that runs cells, with kaisetsu and TensorFlow.js for browsers (an archive, gzip)
 * - frame.js    the sandbox between the two
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, "dist/src");
const live = join(built, "notebook/live");
const output = join(live, "bundles");
const require = createRequire(import.meta.url);

async function bundleLive() {
  if (isFresh()) return;
  const { packArchive } = await import(join(live, "archive.js"));
  mkdirSync(output, { recursive: true });
  const [boot, frame, page, worker] = await Promise.all([
    bundle("boot"),
    bundle("frame"),
    bundle("page/main", { replacements: inPage, inject: [join(live, "page/browser.js")] }),
    bundle("worker/main", { replacements: inWorker }),
  ]);
  const wasm = "tfjs-backend-wasm-simd.wasm";
  const wasmFile = join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")), wasm);
  writeFileSync(join(output, "boot.js"), boot);
  writeFileSync(join(output, "frame.js"), frame);
  writeFileSync(join(output, "page.gz"), gzipSync(page, { level: 9 }));
  const runtime = new Map([
    ["worker.js", worker],
    [wasm, readFileSync(wasmFile)],
  ]);
  writeFileSync(join(output, "runtime.gz"), gzipSync(packArchive(runtime), { level: 9 }));
}

/** Whether nothing was built or installed since the last bundling. tsc leaves files alone that have not changed. */
function isFresh() {
  const bundled = modified(join(output, "runtime.gz"));
  const sources = readdirSync(built, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  return [fileURLToPath(import.meta.url), join(root, "package-lock.json"), ...sources.map((name) => join(built, name))]
    .filter((file) => !file.startsWith(output))
    .every((file) => modified(file) < bundled);
}

function modified(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

async function bundle(entry, { replacements = {}, inject } = {}) {
  const { outputFiles } = await build({
    entryPoints: [join(live, `${entry}.js`)],
    inject,
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2022",
    legalComments: "none",
    platform: "browser",
    define: { "import.meta.url": '"file:///kaisetsu/index.js"', "process.env.NODE_ENV": '"production"' },
    plugins: [forBrowsers(replacements)],
    logLevel: "warning",
  });
  return Buffer.from(outputFiles[0].contents);
}

const node = (file) => join(live, `node/${file}.js`);
const rest = node("rest");

/** Modules of Node, and what stands for them in a page. */
const inWorker = {
  "node:crypto": node("crypto"),
  "node:events": rest,
  "node:fs": node("fs"),
  "node:fs/promises": node("fs-promises"),
  "node:module": rest,
  "node:os": rest,
  "node:path": node("path"),
  "node:readline/promises": rest,
  "node:stream": rest,
  "node:stream/promises": rest,
  "node:timers/promises": node("timers"),
  "node:url": rest,
  "node:util": require.resolve("node-inspect-extracted"),
  "node:v8": rest,
  "node:worker_threads": rest,
  "@tensorflow/tfjs": join(live, "tfjs.js"),
  kaisetsu: join(built, "index.js"),
};

/** Modules that the exporter's renderers name, and what stands for them in the page. */
const browser = join(live, "page/browser.js");
const inPage = {
  "node:fs": browser,
  "node:path": browser,
  "node:vm": browser,
  parse5: join(live, "page/parse5.js"),
};

/** Engines and downloads, which a browser has no use for. */
const left = [
  /engine\/onnx\/[\w-]+\.js$/,
  /engine\/(tfjs-node|wasm\/threads\/shared-heap)\.js$/,
  /tfjs-backend-wasm-threaded-simd/,
  /^@huggingface\/hub$/,
  /^cli-progress$/,
];

/** Files of kaisetsu that do the same in a page by other means. */
const standIns = {
  [join(built, "checkpoint/committer.js")]: join(live, "committer.js"),
  [join(built, "notebook/export/sanitize.js")]: join(live, "page/sanitize.js"),
};

function forBrowsers(replacements) {
  return {
    name: "for browsers",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /./ }, ({ path, importer }) => {
        // What stands for a package may itself use parts of it.
        if (replacements[path] && replacements[path] !== importer) {
          return { path: replacements[path], namespace: path.startsWith("node:") ? "lenient" : "file" };
        }
        const file = path.startsWith(".") ? join(dirname(importer), path) : path;
        if (standIns[file]) return { path: standIns[file], namespace: "lenient" };
        if (path.startsWith("node:")) return { path: rest, namespace: "lenient" };
        if (left.some((pattern) => pattern.test(file))) return { path: join(live, "absent.js"), namespace: "lenient" };
        return undefined;
      });
      // As CommonJS, so that a name which the stand-in lacks is undefined, and no error of the build: most are never used.
      onLoad({ filter: /./, namespace: "lenient" }, ({ path }) => ({
        contents: `module.exports = require(${JSON.stringify(path)});`,
        resolveDir: root,
      }));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleLive();

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

export interface SpecResults {
  /** How many were run. */
  count: number;
  /** Full name -> what was expected. */
  failures: Map<string, string>;
}

/** Parts of a page, or made for one. */
const ELSEWHERE = /browser|from_pixels|draw|io\//;
const ABOUT_BACKENDS = /^(ops|gradients|engine|tensor|variable|optimizers|buffer|debug_mode|kernel_registry|globals)/;

/**
 * Runs TensorFlow.js's own specs, as they lie in its package, on a backend that has been registered.
 * They are written for its build tools: no Node resolves their imports, so they are bundled first.
 */
export async function runTfjsCoreSpecs(backend: string): Promise<SpecResults> {
  const require = createRequire(import.meta.url);
  const core = dirname(require.resolve("@tensorflow/tfjs-core/package.json"));
  const list = await readFile(join(core, "dist/tests.js"), "utf8");
  const files = [...list.matchAll(/import '\.\/([^']+)'/g)].map(([, file]) => file!);
  const chosen = files.filter((file) => ABOUT_BACKENDS.test(file) && !ELSEWHERE.test(file));
  const folder = await mkdtemp(join(tmpdir(), "kaisetsu-specs-"));
  try {
    const outfile = join(folder, "specs.mjs");
    const environment = JSON.stringify([{ name: backend, backendName: backend, isDataSync: true }]);
    await build({
      stdin: {
        contents: [
          'import "./setup";',
          'import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";',
          ...chosen.map((file) => `import "@tensorflow/tfjs-core/dist/${file}";`),
        ].join("\n"),
        resolveDir: core,
      },
      plugins: [
        {
          name: "setup",
          setup(plugin) {
            plugin.onResolve({ filter: /^\.\/setup$/ }, () => ({ path: "setup", namespace: "setup" }));
            plugin.onLoad({ filter: /.*/, namespace: "setup" }, () => ({
              contents: `import { setTestEnvs } from "@tensorflow/tfjs-core/dist/jasmine_util"; setTestEnvs(${environment});`,
              resolveDir: core,
            }));
          },
        },
      ],
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire("file:///");' },
      bundle: true,
      platform: "node",
      format: "esm",
      mainFields: ["module", "main"],
      // tfjs-core says that its files have no side effects; specs are nothing else.
      ignoreAnnotations: true,
      outfile,
      logLevel: "error",
    });
    const { getEnv } = require("jasmine-core").boot() as { getEnv(): JasmineEnv };
    await import(pathToFileURL(outfile).href);
    return await execute(getEnv());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What is used here of jasmine-core, which has no types of its own. */
interface JasmineEnv {
  configure(options: { random: boolean }): void;
  addReporter(reporter: { specDone(spec: SpecDone): void }): void;
  execute(): Promise<unknown>;
}

interface SpecDone {
  fullName: string;
  status: "passed" | "failed" | "pending" | "excluded";
  failedExpectations: { message: string }[];
}

async function execute(env: JasmineEnv): Promise<SpecResults> {
  const results: SpecResults = { count: 0, failures: new Map() };
  env.configure({ random: false });
  env.addReporter({
    specDone({ fullName, status, failedExpectations }) {
      if (status === "passed" || status === "failed") results.count++;
      if (status === "failed")
        results.failures.set(fullName, failedExpectations.map(({ message }) => message).join("; "));
    },
  });
  await env.execute();
  return results;
}

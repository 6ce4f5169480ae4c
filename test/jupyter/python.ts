import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installKernel } from "../../kernel/install.js";

/** Debian's Python, which has the packages that CI installs; KAISETSU_PYTHON names another one. */
export const python = process.env.KAISETSU_PYTHON ?? "/usr/bin/python3";

/** The folder of the sources of these tests: Python files are not copied to dist/. */
export const sources = join(dirname(fileURLToPath(import.meta.url)), "../../../test/jupyter");

/** Why tests that need these Python modules cannot run here; undefined when they can. */
export function lacks(...modules: string[]): string | undefined {
  const { status, stderr, error } = spawnSync(python, ["-c", modules.map((name) => `import ${name}`).join("\n")], {
    encoding: "utf8",
  });
  if (status === 0) return undefined;
  return `${python} lacks ${modules.join(", ")}: ${error?.message ?? stderr.trim().split("\n").at(-1)}`;
}

/** Runs Python in `folder`, in which the kernel is installed as Jupyter knows it. */
export function runPython(folder: string, args: string[]) {
  installKernel({ prefix: join(folder, "prefix") });
  const { status, stdout, stderr } = spawnSync(python, args, {
    cwd: folder,
    encoding: "utf8",
    timeout: 120_000,
    env: {
      ...process.env,
      JUPYTER_PATH: join(folder, "prefix/share/jupyter"),
      JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
      KAISETSU_DATA_DIR: folder,
    },
  });
  return { status, output: `${stdout}\n${stderr}` };
}

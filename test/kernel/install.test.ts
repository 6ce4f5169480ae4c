import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { KernelInstallError, uninstallKernel } from "../../kernel/install.js";

const cli = join(dirname(fileURLToPath(import.meta.url)), "../../src/cli/main.js");

describe("kaisetsu kernel install", () => {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-install-"));
  after(() => rmSync(folder, { recursive: true }));

  function kaisetsu(args: string[], env: NodeJS.ProcessEnv = {}) {
    const { VIRTUAL_ENV, CONDA_PREFIX, ...rest } = process.env;
    const options = { encoding: "utf8", env: { ...rest, ...env } } as const;
    return spawnSync(process.execPath, [cli, "kernel", ...args], options);
  }

  const spec = (prefix: string, name = "kaisetsu") =>
    JSON.parse(readFileSync(join(prefix, "share/jupyter/kernels", name, "kernel.json"), "utf8"));

  it("writes a specification with which Jupyter can start the kernel, and takes it back", () => {
    const { status, stdout } = kaisetsu(["install", "--prefix", folder]);
    assert.equal(status, 0);
    assert.match(stdout, /installed in .*kernels.kaisetsu/);
    const { argv, display_name, language, interrupt_mode } = spec(folder);
    assert.deepEqual([display_name, language, interrupt_mode], ["TypeScript (kaisetsu)", "typescript", "message"]);
    assert.ok(argv.slice(0, -1).every((word: string) => word.startsWith("-") || existsSync(word)));
    assert.equal(argv.at(-1), "{connection_file}");
    assert.equal(kaisetsu(["uninstall", "--prefix", folder]).status, 0);
    assert.ok(!existsSync(join(folder, "share/jupyter/kernels/kaisetsu")));
    const again = kaisetsu(["uninstall", "--prefix", folder]);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /there is no kernel in/);
  });

  it("keeps two versions side by side, each with its settings", () => {
    kaisetsu(["install", "--prefix", folder, "--name", "ts-loose", "--display-name", "TS, loose", "--types", "off"]);
    kaisetsu(["install", "--prefix", folder]);
    assert.deepEqual(spec(folder, "ts-loose").env, { KAISETSU_TYPES: "off" });
    assert.equal(spec(folder, "ts-loose").display_name, "TS, loose");
    assert.deepEqual(spec(folder).env, {});
    assert.equal(kaisetsu(["install", "--prefix", folder, "--name", "../up"]).status, 1);
    assert.equal(kaisetsu(["install", "--types", "sometimes"]).status, 1);
  });

  it("finds the user's and the environment's folder as Jupyter does", () => {
    const data = join(folder, "data");
    assert.match(kaisetsu(["install"], { JUPYTER_DATA_DIR: data }).stdout, /data.kernels.kaisetsu/);
    assert.ok(existsSync(join(data, "kernels/kaisetsu/kernel.json")));
    const env = join(folder, "env");
    assert.equal(kaisetsu(["install", "--sys-prefix"], { VIRTUAL_ENV: env }).status, 0);
    assert.equal(spec(env).language, "typescript");
    assert.match(kaisetsu(["install", "--sys-prefix"]).stderr, /needs an active Python environment/);
  });

  it("removes nobody else's kernel", () => {
    const other = join(folder, "share/jupyter/kernels/other");
    mkdirSync(other, { recursive: true });
    writeFileSync(join(other, "kernel.json"), JSON.stringify({ argv: ["deno"], language: "typescript" }));
    assert.throws(() => uninstallKernel({ prefix: folder, name: "other" }), KernelInstallError);
    assert.ok(existsSync(join(other, "kernel.json")));
  });
});

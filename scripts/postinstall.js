/**
 * npm runs this after installing kaisetsu.
 *
 * On Linux x64, onnxruntime-node's own install step wants CUDA libraries from NuGet. Where only npm can be reached that
 * step fails, and npm silently takes the whole (optional) package away, although the CPU library lies inside of it.
 * So it is installed a second time without its install step, from npm's cache, into `vendor/` of this package.
 * Nothing here may make `npm install` fail: without ONNX Runtime the wasm engine computes.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const wanted = `onnxruntime-node@${optionalDependencies["onnxruntime-node"]}`;
const vendor = join(root, "vendor");

const skips = [process.env.ONNXRUNTIME_NODE_INSTALL, process.env.npm_config_onnxruntime_node_install];
const stepWantsCuda = process.platform === "linux" && process.arch === "x64" && !skips.includes("skip");
const developing = existsSync(join(root, "src"));

if (stepWantsCuda && !developing && !existsSync(vendor)) {
  try {
    runNpm(["install", wanted, "--prefix", vendor, "--ignore-scripts", "--no-save", "--prefer-offline", "--no-audit"]);
    keepOnlyThisPlatform();
  } catch (error) {
    rmSync(vendor, { recursive: true, force: true });
    console.warn(
      `kaisetsu: ${wanted} could not be installed (${error.message.split("\n")[0]}); the slower wasm engine computes. ` +
        `To have it later: ONNXRUNTIME_NODE_INSTALL=skip npm install ${wanted}`,
    );
  }
}

function runNpm(args) {
  const { npm_execpath } = process.env;
  const options = { cwd: root, stdio: "pipe", env: { ...process.env, npm_config_global: "false" } };
  // Another package manager may have started us; its own program does not understand npm's arguments.
  if (npm_execpath?.endsWith("npm-cli.js")) execFileSync(process.execPath, [npm_execpath, ...args], options);
  else execFileSync("npm", args, options);
}

/** The package holds the libraries of six platforms, 290 MB. */
function keepOnlyThisPlatform() {
  const binaries = join(vendor, "node_modules/onnxruntime-node/bin/napi-v6");
  for (const other of ["darwin", "win32", "linux/arm64"])
    rmSync(join(binaries, other), { recursive: true, force: true });
}

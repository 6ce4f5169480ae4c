/**
 * Brings a fresh clone to a state in which kaisetsu runs: dependencies, build, and the name `kaisetsu` for itself.
 * Plain Node without dependencies, since it runs before there are any. Does nothing that is already done.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @param options.check false leaves the types unchecked, which takes half of the time */
export function setup({ check = true } = {}) {
  checkNode();
  install();
  linkSelf();
  build(check);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(`kaisetsu needs Node.js 20.19 or newer; this is ${process.version}. See https://nodejs.org`);
}

function install() {
  const lock = readFileSync(join(root, "package-lock.json"));
  const fingerprint = createHash("sha256").update(lock).digest("hex");
  const stamp = join(root, "node_modules/.kaisetsu-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return;
  say("installing dependencies (npm ci) …");
  // onnxruntime-node's install step would fetch CUDA libraries from outside npm; the CPU library is in the package.
  run("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], { ONNXRUNTIME_NODE_INSTALL: "skip" });
  writeFileSync(stamp, fingerprint);
}

/** TypeScript's older resolution (stock tslab) knows no self-reference, so the clone gets one as a link. */
function linkSelf() {
  link(join(root, "node_modules/kaisetsu"), root);
  link(join(root, "node_modules/.bin/kaisetsu"), join(root, "dist/src/cli/main.js"));
}

function link(path, target) {
  mkdirSync(dirname(path), { recursive: true });
  if (lstatSync(path, { throwIfNoEntry: false })) rmSync(path, { recursive: true });
  symlinkSync(target, path, process.platform === "win32" ? "junction" : undefined);
}

function build(check) {
  say("building (tsc) …");
  run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", root, ...(check ? [] : ["--noCheck"])]);
  run(process.execPath, [join(root, "scripts/bundle-live.js")]);
}

export function run(command, args, env = {}) {
  const { status, error, signal } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
    shell: process.platform === "win32" && command === "npm",
  });
  if (error) fail(`could not start ${command}: ${error.message}`);
  if (status !== 0) fail(`${command} ${args.join(" ")} ended with ${signal ?? `exit code ${status}`}`, status ?? 1);
}

export function say(message) {
  console.error(`kaisetsu: ${message}`);
}

function fail(message, code = 1) {
  say(message);
  process.exit(code);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup();

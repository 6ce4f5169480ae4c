import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { figures } from "./reference.js";

const main = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const chat = (args: string[], input = "") =>
  spawnSync(process.execPath, [main, "chat", "--engine", "cpu", ...args], { input, encoding: "utf8" });

test("kaisetsu chat answers each line of a pipe, with an adapter on its base", () => {
  const args = [figures("adapter-random"), "--max-new-tokens", "4", "--repetition-penalty", "9"];
  const { status, stdout, stderr } = chat(args, "幸せとは何でしょうか？\n/reset\nなぜ？\n");
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.equal(stdout.split("\n").length, 3);
  assert.ok(stdout.trim().length > 0);
});

test("kaisetsu chat names what it cannot load, and refuses wrong options", () => {
  const missing = chat(["/nowhere"]);
  assert.equal(missing.status, 2);
  assert.match(missing.stderr, /there is no model folder \/nowhere/);
  const wrong = chat([figures("tiny-gemma2"), "--temperature", "hot"]);
  assert.notEqual(wrong.status, 0);
  assert.match(wrong.stderr, /temperature/);
});

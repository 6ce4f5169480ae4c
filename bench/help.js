import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Asked for `--help`, a bench prints the comment at its head and ends. */
export function helpIfAsked(moduleUrl) {
  if (!process.argv.includes("--help") && !process.argv.includes("-h")) return;
  const [, comment] = readFileSync(fileURLToPath(moduleUrl), "utf8").match(/^\s*\/\*\*\n(.*?)\n \*\//s);
  console.log(comment.replace(/^ \* ?/gm, ""));
  process.exit(0);
}

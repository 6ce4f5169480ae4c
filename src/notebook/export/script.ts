import { client } from "./client.js";

/** The page's script, as text: client.ts without its comments. Its hash is the only one that the page's policy lets run. */
export const script = `(${compact(client.toString())})();`;

function compact(source: string): string {
  return source
    .replace(/\/\*\*[\s\S]*?\*\//g, "")
    .replace(/(^|[;{}]\s+|\s)\/\/ .*$/gm, "$1")
    .replace(/^\s+/gm, "");
}

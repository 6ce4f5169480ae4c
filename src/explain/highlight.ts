/** Code to coloured HTML: only `<span class="hljs-…">` around escaped text. */
import hljs from "highlight.js/lib/core";
import { escapeHtml } from "../notebook/escape.js";

/** Colouring costs time in proportion, and nobody reads a program this long in a tutorial. */
const longestCode = 200_000;

/** Short names that people write at a fence, and the file of the language. */
const files: Record<string, string> = {
  ts: "typescript",
  tsx: "typescript",
  mts: "typescript",
  js: "javascript",
  jsx: "javascript",
  mjs: "javascript",
  node: "javascript",
  py: "python",
  python3: "python",
  sh: "bash",
  zsh: "bash",
  console: "shell",
  shellsession: "shell",
  html: "xml",
  xhtml: "xml",
  svg: "xml",
  md: "markdown",
  yml: "yaml",
  jsonc: "json",
  json5: "json",
  rs: "rust",
  rb: "ruby",
  kt: "kotlin",
  golang: "go",
  jl: "julia",
  h: "c",
  "c++": "cpp",
  cc: "cpp",
  hpp: "cpp",
  "c#": "csharp",
  cs: "csharp",
  toml: "ini",
  text: "plaintext",
  txt: "plaintext",
  docker: "dockerfile",
  make: "makefile",
  tex: "latex",
  patch: "diff",
};

/** Languages that others hold: templates in TypeScript, styles in HTML. */
const inner: Record<string, string[]> = {
  typescript: ["xml", "css"],
  javascript: ["xml", "css"],
  xml: ["css", "javascript"],
  markdown: ["xml"],
  shell: ["bash"],
};

/** Makes languages known to `highlight`; names that do not exist are ignored. Each costs a few milliseconds. */
export async function loadLanguages(names: Iterable<string>): Promise<void> {
  const wanted = new Set(names);
  for (const name of wanted) {
    const file = Object.hasOwn(files, name) ? files[name]! : name;
    // The name becomes part of a module path, so nothing but a plain word may pass.
    if (!/^[a-z][a-z0-9-]{0,30}$/.test(file) || hljs.getLanguage(name)) continue;
    try {
      const { default: language } = await import(`highlight.js/lib/languages/${file}`);
      hljs.registerLanguage(file, language);
      for (const held of Object.hasOwn(inner, file) ? inner[file]! : []) wanted.add(held);
    } catch {
      // Shown without colours.
    }
  }
}

/** @param language a name or alias of highlight.js; anything unknown gives plain escaped text */
export function highlight(code: string, language: string | undefined): string {
  if (!language || code.length > longestCode || !hljs.getLanguage(language)) return escapeHtml(code);
  try {
    return hljs.highlight(code, { language, ignoreIllegals: true }).value;
  } catch {
    return escapeHtml(code);
  }
}

/** Splits coloured code into lines, each of which closes the spans that it opened. */
export function splitHighlighted(html: string): string[] {
  const open: string[] = [];
  return html.split("\n").map((line) => {
    const start = open.join("");
    for (const [tag] of line.matchAll(/<span\b[^>]*>|<\/span>/g)) {
      if (tag === "</span>") open.pop();
      else open.push(tag);
    }
    return start + line + "</span>".repeat(open.length);
  });
}

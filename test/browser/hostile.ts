/** Notebooks that try to run something in the page: own payloads, one family for every field that an exporter touches. */
import type { Cell, Notebook, Output } from "../../src/notebook/nbformat.js";

/** What each payload tries to call. */
export const canary = "canary()";

/** Ways to run a script from HTML, each of its own kind. */
export const htmlPayloads: string[] = [
  `<script>${canary}</script>`,
  `<SCRIPT/x>${canary}</SCRIPT>`,
  `<script src="data:text/javascript,${canary}"></script>`,
  `<img src=x onerror="${canary}">`,
  `<img src=x onerror=${canary} //`,
  `<img/src="x"/onerror=${canary}>`,
  `<img src='data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" onload="${canary}"/>'>`,
  `<svg onload="${canary}"></svg>`,
  `<svg><script>${canary}</script></svg>`,
  `<svg><script href="data:text/javascript,${canary}"/></svg>`,
  `<svg><animate onbegin="${canary}" attributeName=x dur=1s></svg>`,
  `<svg><a xlink:href="javascript:${canary}"><text y=20>x</text></a></svg>`,
  `<svg><set attributeName=onmouseover to="${canary}"></svg>`,
  `<svg><foreignObject><body onload="${canary}"></foreignObject></svg>`,
  `<svg><use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><script>${canary}</script></svg>#x"></svg>`,
  `<math><a xlink:href="javascript:${canary}">x</a></math>`,
  `<math><maction actiontype="statusline" xlink:href="javascript:${canary}">x</maction></math>`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${canary}&gt;">`,
  `<form><math><mtext></form><form><mglyph><style></math><img src onerror=${canary}>`,
  `<svg></p><style><a id="</style><img src=1 onerror=${canary}>">`,
  `<noscript><p title="</noscript><img src=x onerror=${canary}>">`,
  `<xmp><p title="</xmp><img src=x onerror=${canary}>">`,
  `<textarea><p title="</textarea><img src=x onerror=${canary}>">`,
  `<title><p title="</title><img src=x onerror=${canary}>">`,
  `<template><img src=x onerror=${canary}></template>`,
  `<a href="javascript:${canary}">x</a>`,
  `<a href="java&#10;script:${canary}">x</a>`,
  `<a href=" &#14; javascript:${canary}">x</a>`,
  `<a href="data:text/html,<script>${canary}</script>">x</a>`,
  `<a href="vbscript:${canary}">x</a>`,
  `<a href="blob:null/x" onclick="${canary}">x</a>`,
  `<iframe src="javascript:parent.${canary}"></iframe>`,
  `<iframe srcdoc="<script>parent.${canary}</script>"></iframe>`,
  `<object data="javascript:${canary}"></object>`,
  `<embed src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><script>${canary}</script></svg>">`,
  `<form action="javascript:${canary}"><button>x</button><input type=submit></form>`,
  `<button formaction="javascript:${canary}">x</button>`,
  `<details open ontoggle="${canary}"><summary>x</summary></details>`,
  `<details ontoggle="${canary}"><summary>x</summary></details>`,
  `<video><source onerror="${canary}"></video>`,
  `<audio src=x onerror="${canary}"></audio>`,
  `<video src="https://canary.invalid/v"></video>`,
  `<img src="https://canary.invalid/i"><img srcset="https://canary.invalid/s">`,
  `<input autofocus onfocus="${canary}">`,
  `<div tabindex=0 onfocus="${canary}" autofocus>x</div>`,
  `<marquee onstart="${canary}">x</marquee>`,
  `<body onload="${canary}" onpageshow="${canary}">`,
  `<meta http-equiv="refresh" content="0;url=javascript:${canary}">`,
  `<meta http-equiv="refresh" content="0;url=https://canary.invalid/">`,
  `<base href="https://canary.invalid/"><a href="x">x</a>`,
  `<link rel=stylesheet href="https://canary.invalid/c">`,
  `<style>@import "https://canary.invalid/s"; * { background: url(https://canary.invalid/b) !important }</style>`,
  `<p style="background:url(https://canary.invalid/p)">x</p>`,
  `<p style="background:\\75rl(https://canary.invalid/p);position:fixed;inset:0;z-index:9">x</p>`,
  `<p style="background-image:image-set('https://canary.invalid/p' 1x)">x</p>`,
  `<div style="animation:x" onanimationstart="${canary}">x</div>`,
  `<p id="main">x</p><a id=location href=x></a><img name=body><form id=cookie><input name=x></form>`,
  `</div></section></main></body></html><script>${canary}</script>`,
  `--><script>${canary}</script>`,
  `]]><script>${canary}</script>`,
  `<p title="\`onmouseover=${canary} \`">x</p>`,
  `<a href="https://example.org" target="_blank" ping="https://canary.invalid/ping">x</a>`,
  `<div class="copy bar skip folder" onclick="${canary}">x</div>`,
  `<x-y onclick="${canary}" style="display:block">x</x-y>`,
  `<dialog open onclose="${canary}"><form method=dialog><button>x</button></form></dialog>`,
  `<div popover id=p onbeforetoggle="${canary}">x</div><button popovertarget=p>x</button>`,
];

/** Scripts by way of Markdown. */
export const markdownPayloads: string[] = [
  `[x](javascript:${canary})`,
  `[x](<java\nscript:${canary}>)`,
  `[x](data:text/html;base64,PHNjcmlwdD5jYW5hcnkoKTwvc2NyaXB0Pg==)`,
  `![x](javascript:${canary})`,
  `![x" onerror="${canary}](y)`,
  `![x](y "a\\" onerror=\\"${canary}")`,
  `<javascript:${canary}>`,
  `\`\`\`"><img/src=x/onerror=${canary}>\nx\n\`\`\``,
  `\`\`\`js' onmouseover='${canary}\nx\n\`\`\``,
  `# <img src=x onerror=${canary}>`,
  `# x" onmouseover="${canary}`,
  `$\\href{javascript:${canary}}{x}$ $\\html{<img src=x onerror=${canary}>}$ $\\htmlData{onclick=${canary}}{x}$`,
  `$\\text{<img src=x onerror=${canary}>}$`,
  `[x]: javascript:${canary}\n\n[x]`,
  `| <img src=x onerror=${canary}> |\n|---|\n| <svg onload=${canary}> |`,
  `\`<img src=x onerror=${canary}>\``,
];

const evil = `"><img src=x onerror=${canary}><script>${canary}</script>`;
const evilSvg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="${canary}"><script>${canary}</script><image href="https://canary.invalid/s" /><foreignObject><body xmlns="http://www.w3.org/1999/xhtml" onload="${canary}"/></foreignObject></svg>`;

/** One notebook for each family of fields (those of CVE-2021-32862 and our own). */
export function hostileNotebooks(): [family: string, notebook: Notebook, name?: string][] {
  const shown = (data: Record<string, unknown>, metadata: Record<string, unknown> = {}): Output => ({
    output_type: "display_data",
    data,
    metadata,
  });
  const outputs = (...all: Output[]): Notebook => book([code("1", all)]);
  return [
    [
      "language name",
      book([code("x")], { language_info: { name: evil, pygments_lexer: evil, codemirror_mode: evil } }),
    ],
    ["title", book([markdown("x")], { title: evil, authors: [{ name: evil }] })],
    ["file name", book([markdown("x")]), `${evil}.ipynb`],
    [
      "widget state",
      book([code("x", [shown({ "application/vnd.jupyter.widget-view+json": { model_id: evil } })])], {
        widgets: { [evil]: { state: { x: `</script>${evil}` } } },
      }),
    ],
    [
      "widget view",
      outputs(
        shown({ "application/vnd.jupyter.widget-view+json": { [`</script>${evil}`]: evil }, "text/plain": evil }),
      ),
    ],
    [
      "cell tags",
      book([
        code("x", [], { tags: [evil, `x onclick=${canary}`], jupyter: { source_hidden: evil } }),
        markdown("x", { tags: ["explanation", evil] }),
      ]),
    ],
    ["cell ids", book([{ ...code("x"), id: evil } as Cell, { ...markdown("x"), id: "constructor" } as Cell])],
    ["text/html", outputs(...htmlPayloads.map((html) => shown({ "text/html": html })))],
    ["text/html with classes", outputs(shown({ "text/html": `<div class="x" id='main"${evil}'>${evil}</div>` }))],
    [
      "image/svg+xml",
      outputs(
        shown({ "image/svg+xml": evilSvg }, { "image/svg+xml": { width: evil, isolated: true } }),
        shown({ "image/svg+xml": `"${evil}` }),
      ),
    ],
    [
      "svg file name",
      outputs(shown({ "image/svg+xml": evilSvg }, { filenames: { "image/svg+xml": evil }, svg_filename: evil })),
    ],
    [
      "text/markdown",
      outputs(...[...htmlPayloads, ...markdownPayloads].map((text) => shown({ "text/markdown": text }))),
    ],
    [
      "application/javascript",
      outputs(
        shown({ "application/javascript": canary }),
        shown({ "text/javascript": canary }),
        shown({ "application/javascript": `</script></pre>${evil}` }),
      ),
    ],
    ["file names in metadata", outputs(shown({ "image/png": "eA==" }, { filenames: { "image/png": evil } }))],
    [
      "image data",
      outputs(
        shown({ "image/png": evil }),
        shown({ "image/jpeg": `x" onerror="${canary}` }),
        shown({ "image/gif": 'x" onload="canary()' }),
      ),
    ],
    [
      "image size",
      outputs(
        shown(
          { "image/png": "eA==", "text/plain": evil },
          { "image/png": { width: `1" onerror="${canary}`, height: evil } },
        ),
      ),
    ],
    [
      "raw cells",
      book([{ cell_type: "raw", metadata: { format: "text/html", raw_mimetype: "text/html" }, source: evil }]),
    ],
    ["markdown cells", book([...htmlPayloads, ...markdownPayloads].map((text) => markdown(text)))],
    [
      "panels",
      book(
        [...htmlPayloads, ...markdownPayloads].flatMap((text) => [
          markdown(panel("題", text), { tags: ["explanation"] }),
          markdown(panel(text.replace(/\n/g, " "), "x"), { tags: ["explanation"] }),
        ]),
      ),
    ],
    [
      "attachments",
      book([
        {
          ...markdown(`![x](attachment:a.png) ![y](attachment:b%22onerror=${canary})`),
          attachments: { "a.png": { "image/png": evil }, [`b"onerror=${canary}`]: { "image/svg+xml": evilSvg } },
        } as Cell,
      ]),
    ],
    [
      "streams and ANSI",
      outputs({
        output_type: "stream",
        name: evil,
        text: `\u001b[31m${evil}\u001b]8;;javascript:${canary}\u001b\\x\u001b]8;;\u001b\\ \u001b]8;;https://a" onclick="${canary}\u001b\\y\u001b]8;;\u001b\\ \u001b[38;2;1;2;3"onclick=x m`,
      }),
    ],
    ["errors", outputs({ output_type: "error", ename: evil, evalue: evil, traceback: [evil, `\u001b[1m${evil}`] })],
    ["code", book([code(evil), code("`</script>`"), code(`/* ${evil} */`)], { language_info: { name: "typescript" } })],
    [
      "latex",
      outputs(shown({ "text/latex": `$\\href{javascript:${canary}}{x}${evil}$` }), shown({ "text/latex": evil })),
    ],
    [
      "json and unknown types",
      outputs(
        shown({ "application/json": { [evil]: evil } }),
        shown({ [`text/${evil}`]: evil }),
        shown({ "application/vnd.x+json": evil }),
        shown({ "application/pdf": evil }),
      ),
    ],
    ["execution count", book([{ ...code("x"), execution_count: evil as unknown as number } as Cell])],
  ];
}

function book(cells: Cell[], metadata = {}): Notebook {
  return { nbformat: 4, nbformat_minor: 4, metadata, cells };
}

function markdown(source: string, metadata = {}): Cell {
  return { cell_type: "markdown", metadata, source };
}

function code(source: string, outputs: Output[] = [], metadata = {}): Cell {
  return { cell_type: "code", metadata, source, execution_count: 1, outputs };
}

function panel(title: string, body: string): string {
  return `<details class="kaisetsu" lang="ja"${title.includes("onclick") ? "" : ` style="color:red"`}>\n<summary>${title}</summary>\n\n${body}\n\n</details>`;
}

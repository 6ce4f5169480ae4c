/** The page's style sheet. Every pair of text and background colour here is at least 4.5:1 (test/browser checks with axe). */
export const style = `
:root {
  color-scheme: light;
  --bg: #fffdfa; --fg: #2b2520; --muted: #6b5d52; --rule: #e6ddd3; --link: #14683a; --raise: #ffffff;
  --panel-bg: #f9f4f0; --panel-fg: #5b4636; --panel-head: #6b5344; --green: #4caf50;
  --inline-bg: #f3ebe3; --inline-fg: #6f3d1c; --mark: #ffe9a8; --error: #b3261e; --error-bg: #fdf1ef;
  --code-bg: #000000; --code-fg: #d4d4d4; --code-rule: #333333; --code-muted: #8c8c8c;
  --ansi-black: #2b2520; --ansi-red: #b3261e; --ansi-green: #14683a; --ansi-yellow: #7a5b00;
  --ansi-blue: #1d55a8; --ansi-magenta: #8a2a85; --ansi-cyan: #006775; --ansi-white: #6b5d52;
}
:root[data-theme="dark"] {
  color-scheme: dark;
  --bg: #171411; --fg: #e9e2da; --muted: #b3a79b; --rule: #3a332c; --link: #7fd19a; --raise: #201b17;
  --panel-bg: #241d18; --panel-fg: #dccfc2; --panel-head: #e6d3c2; --green: #4caf50;
  --inline-bg: #31281f; --inline-fg: #f0bd94; --mark: #5c4a12; --error: #ff9d92; --error-bg: #2b1917;
  --code-bg: #000000; --code-fg: #d4d4d4; --code-rule: #3d3833; --code-muted: #8c8c8c;
  --ansi-black: #b3a79b; --ansi-red: #ff9d92; --ansi-green: #7fd19a; --ansi-yellow: #e3c46a;
  --ansi-blue: #8fbcff; --ansi-magenta: #e7a1e2; --ansi-cyan: #6fd3e0; --ansi-white: #e9e2da;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) {
    color-scheme: dark;
    --bg: #171411; --fg: #e9e2da; --muted: #b3a79b; --rule: #3a332c; --link: #7fd19a; --raise: #201b17;
    --panel-bg: #241d18; --panel-fg: #dccfc2; --panel-head: #e6d3c2; --green: #4caf50;
    --inline-bg: #31281f; --inline-fg: #f0bd94; --mark: #5c4a12; --error: #ff9d92; --error-bg: #2b1917;
    --code-bg: #000000; --code-fg: #d4d4d4; --code-rule: #3d3833; --code-muted: #8c8c8c;
    --ansi-black: #b3a79b; --ansi-red: #ff9d92; --ansi-green: #7fd19a; --ansi-yellow: #e3c46a;
    --ansi-blue: #8fbcff; --ansi-magenta: #e7a1e2; --ansi-cyan: #6fd3e0; --ansi-white: #e9e2da;
  }
}
* { box-sizing: border-box; }
html {
  font-family: system-ui, -apple-system, "Hiragino Sans", "Hiragino Kaku Gothic ProN", "Noto Sans JP", "Noto Sans CJK JP", "Yu Gothic UI", Meiryo, sans-serif;
  background: var(--bg); color: var(--fg); scroll-padding-top: 4rem; -webkit-text-size-adjust: 100%;
}
body { margin: 0; line-height: 1.8; overflow-wrap: anywhere; }
:lang(ja) { line-break: strict; text-autospace: normal; text-spacing-trim: trim-start; hanging-punctuation: allow-end; }
a { color: var(--link); text-underline-offset: .2em; }
:focus-visible { outline: 3px solid var(--green); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 1rem; z-index: 10; background: var(--bg); padding: .5rem 1rem; }

.layout { display: grid; grid-template-columns: minmax(0, 1fr); max-width: 51rem; margin: 0 auto; padding: 1rem; }
main { min-width: 0; }
.toc { font-size: .875rem; line-height: 1.6; margin: 0 0 1.5rem; }
.toc summary { font-weight: bold; cursor: pointer; color: var(--muted); padding: .25rem 0; }
.toc ol { list-style: none; margin: .25rem 0 0; padding: 0; }
.toc li.sub { padding-left: 1em; }
.toc a { display: block; padding: .3rem .6rem; color: var(--muted); text-decoration: none; border-left: 3px solid transparent; }
.toc a:hover { color: var(--fg); text-decoration: underline; }
.toc a[aria-current] { color: var(--fg); border-left-color: var(--green); font-weight: bold; }
@media (min-width: 70rem) {
  .layout { grid-template-columns: 15rem minmax(0, 48rem); gap: 2.5rem; max-width: 69rem; padding: 1.5rem 2rem; }
  .toc { position: sticky; top: 4rem; max-height: calc(100vh - 5rem); overflow-y: auto; align-self: start; margin-top: 1rem; }
}

.bar { position: sticky; top: 0; z-index: 5; display: flex; align-items: center; gap: .4rem; padding: .4rem 1rem; background: var(--bg); border-bottom: 1px solid var(--rule); font-size: .875rem; line-height: 1.4; }
.bar[hidden] { display: none; }
.bar-title { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: bold; color: var(--fg); text-decoration: none; }
.bar button, .menu > summary, dialog button { font: inherit; color: var(--fg); background: var(--raise); border: 1px solid var(--rule); border-radius: 6px; padding: .3rem .7rem; min-height: 2.1rem; cursor: pointer; display: inline-flex; align-items: center; gap: .4rem; white-space: nowrap; }
.bar button[hidden] { display: none; }
.bar button:hover, .menu > summary:hover { border-color: var(--green); }
.bar .theme { padding: .3rem .5rem; }
.menu { position: relative; }
.menu > summary { list-style: none; }
.menu > summary::-webkit-details-marker { display: none; }
.menu > div { position: absolute; right: 0; top: calc(100% + .3rem); background: var(--raise); border: 1px solid var(--rule); border-radius: 8px; padding: .6rem .9rem; width: 15rem; box-shadow: 0 6px 20px rgb(0 0 0 / .18); }
.menu label { display: block; padding: .25rem 0; cursor: pointer; }
.menu p { margin: .5rem 0 0; padding-top: .5rem; border-top: 1px solid var(--rule); color: var(--muted); font-size: .8rem; line-height: 1.9; }
input { accent-color: var(--green); font: inherit; }
dialog.search { width: min(40rem, calc(100vw - 2rem)); max-height: 75vh; margin: 10vh auto auto; padding: 1rem; border: 1px solid var(--rule); border-radius: 10px; background: var(--raise); color: var(--fg); box-shadow: 0 12px 40px rgb(0 0 0 / .3); }
dialog::backdrop { background: rgb(0 0 0 / .35); }
dialog.search > div { display: flex; gap: .5rem; }
dialog.search input { flex: 1; min-width: 0; padding: .45rem .7rem; border: 1px solid var(--muted); border-radius: 6px; background: var(--bg); color: var(--fg); }
dialog.search p { margin: .6rem 0; color: var(--muted); font-size: .875rem; min-height: 1.5em; }
dialog.search ol { list-style: none; margin: 0; padding: 0; }
dialog.search li { margin: 0; }
dialog.search li button { display: block; width: 100%; text-align: left; white-space: normal; border-width: 0 0 1px; border-radius: 0; line-height: 1.6; padding: .5rem .3rem; }
mark { background: var(--mark); color: inherit; }
.found { outline: 3px solid var(--green); outline-offset: 4px; border-radius: 6px; }
.anchor::before { content: "#"; }
.panel { position: relative; }
.panel .anchor { position: absolute; right: .8rem; top: .8rem; padding: .1rem .4rem; }
.code-frame { position: relative; }
.copy::before { content: attr(aria-label); }
.copy { position: absolute; top: .4rem; right: .4rem; font: .75rem/1.4 inherit; font-family: inherit; color: #d4d4d4; background: #1e1e1e; border: 1px solid #555; border-radius: 5px; padding: .2rem .6rem; min-height: 1.6rem; cursor: pointer; opacity: 0; transition: opacity .15s; }
.code-frame:hover .copy, .copy:focus-visible { opacity: 1; }
@media (hover: none) { .copy { opacity: 1; } }
.folder { position: absolute; left: -1.05rem; margin-top: .35rem; width: 1.5rem; height: 1.5rem; padding: 0; border: 0; background: none; color: var(--muted); cursor: pointer; opacity: 0; }
.folder::before { content: ""; display: block; margin: auto; width: .45em; height: .45em; border: solid currentColor; border-width: 0 2px 2px 0; transform: rotate(45deg); }
.folder[aria-expanded="false"]::before { transform: rotate(-45deg); }
.cell:hover > .folder, .folder:focus-visible, .folder[aria-expanded="false"] { opacity: 1; }
.folded, .no-code main > .cell > .input, .no-outputs main > .cell > .outputs { display: none; }
.folder[aria-expanded="false"] { position: static; width: auto; }
.folder[aria-expanded="false"]::after { content: attr(title); font-size: .8rem; margin-left: 1.2rem; position: relative; top: -.75rem; white-space: nowrap; }
@media (max-width: 55rem) { .folder[aria-expanded="true"] { display: none; } }
@media (max-width: 40rem) { .bar { padding: .35rem .6rem; } .bar-title { display: none; } .bar .theme { margin-left: auto; } }
@media (max-width: 24rem) { .bar { gap: .25rem; padding: .35rem .4rem; font-size: .8125rem; } .bar button, .menu > summary { padding: .3rem .5rem; } [data-do="search"] span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } }

h1, h2, h3, h4, h5, h6 { line-height: 1.4; margin: 2em 0 .6em; text-wrap: balance; }
:is(h1, h2, h3, h4, h5, h6, summary):lang(ja) { word-break: auto-phrase; }
.budoux { word-break: keep-all; overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; margin-top: .5em; }
h2 { font-size: 1.45rem; padding-bottom: .3em; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1.2rem; }
h4 { font-size: 1.05rem; }
h5, h6 { font-size: 1rem; }
p, ul, ol, dl, blockquote { margin: .8em 0; max-inline-size: 43em; }
ul, ol { padding-left: 1.6em; }
li { margin: .25em 0; }
blockquote { border-left: 4px solid var(--rule); padding-left: 1em; color: var(--muted); margin-left: 0; }
hr { border: 0; border-top: 1px solid var(--rule); margin: 2em 0; }
img { max-width: 100%; height: auto; }
rt { font-size: .55em; }
kbd { border: 1px solid var(--rule); border-bottom-width: 2px; border-radius: 4px; padding: 0 .35em; font-size: .85em; }
:is(h1, h2, h3, h4, h5, h6) .anchor, .panel .anchor { opacity: 0; text-decoration: none; margin-left: .4em; font-weight: normal; color: var(--muted); }
:is(h1, h2, h3, h4, h5, h6):hover .anchor, .panel:hover .anchor, .anchor:focus { opacity: 1; }

code, pre, kbd, samp, tt { font-family: ui-monospace, SFMono-Regular, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK JP", monospace; text-autospace: no-autospace; tab-size: 2; }
:not(pre) > code { font-size: .875em; background: var(--inline-bg); color: var(--inline-fg); padding: .12em .35em; border-radius: 4px; }
pre { margin: .8em 0; overflow-x: auto; line-height: 1.55; font-size: .875rem; overflow-wrap: normal; }
pre.code { background: var(--code-bg); color: var(--code-fg); border: 1px solid var(--code-rule); border-radius: 8px; padding: 1rem 1.15rem; }
pre.code code { background: none; color: inherit; padding: 0; font-size: inherit; }
pre.code { scrollbar-color: #555 transparent; }
.hljs-comment, .hljs-quote { color: #7fb069; }
.hljs-keyword, .hljs-selector-tag, .hljs-literal, .hljs-type .hljs-keyword { color: #6cb2f0; }
.hljs-string, .hljs-regexp, .hljs-template-tag, .hljs-addition { color: #e0a07a; }
.hljs-number, .hljs-symbol, .hljs-bullet { color: #b5cea8; }
.hljs-title, .hljs-section, .hljs-name, .hljs-selector-id { color: #e3dfa4; }
.hljs-built_in, .hljs-type, .hljs-class, .hljs-title.class_ { color: #5fd3bc; }
.hljs-attr, .hljs-attribute, .hljs-variable, .hljs-params, .hljs-property, .hljs-template-variable { color: #a5d7f5; }
.hljs-meta, .hljs-deletion, .hljs-tag { color: #c9a7e0; }
.hljs-subst { color: var(--code-fg); }
.hljs-emphasis { font-style: italic; }
.hljs-strong { font-weight: bold; }

.cell { position: relative; margin: 1.4rem 0; }
.cell.markdown { margin: 0; }
.prompt { position: absolute; left: -3.2rem; top: 1rem; width: 2.6rem; text-align: right; font: .75rem/1.55 ui-monospace, Menlo, Consolas, monospace; color: var(--muted); }
.prompt:not(:empty)::before { content: "["; }
.prompt:not(:empty)::after { content: "]"; }
@media (max-width: 55rem) { .prompt { position: static; width: auto; text-align: left; margin-bottom: -.4rem; } .prompt:empty { display: none; } }
.cell > .input > pre { margin: 0; }
.l { counter-increment: line; }
.cell pre.code { counter-reset: line; }
.numbers .l::before { content: counter(line); display: inline-block; width: 2ch; margin-right: 1.5ch; text-align: right; color: var(--code-muted); }
.outputs { margin: .5rem 0 0; padding-left: .9rem; border-left: 3px solid var(--rule); contain: paint; }
.out { margin: .35rem 0; max-width: 100%; }
pre.out { padding: .15rem 0; }
pre.stderr { background: var(--inline-bg); padding: .4rem .7rem; border-radius: 4px; }
.out.picture img, .out.rich img { background: #ffffff; border-radius: 6px; }
.out.error { background: var(--error-bg); border-left: 4px solid var(--error); padding: .5rem .9rem; border-radius: 4px; }
.out.error p { margin: 0; color: var(--error); }
.out.error pre { margin: .4rem 0 0; }
.out.rich { overflow-x: auto; }
.more > summary, .fold > summary { cursor: pointer; color: var(--muted); font-size: .875rem; padding: .2rem 0; }
.note, .missing { color: var(--muted); font-size: .875rem; }
figure { margin: .8em 0; }

.table { overflow-x: auto; margin: .8em 0; }
table { border-collapse: collapse; font-size: .9em; line-height: 1.6; font-variant-numeric: tabular-nums; }
:is(th, td):not([align]) { text-align: left; }
th, td { border: 1px solid var(--rule); padding: .35em .75em; vertical-align: top; color: inherit; }
thead th { background: var(--inline-bg); white-space: nowrap; }
details details { margin: .5em 0; }
details details > summary { cursor: pointer; }

.panel { background: var(--panel-bg); color: var(--panel-fg); border-left: 5px solid var(--green); border-radius: 4px; margin: 1rem 0 1.8rem; }
.panel > summary { list-style: none; cursor: pointer; padding: .7rem 1.1rem; font-size: 1.17em; font-weight: bold; line-height: 1.5; color: var(--panel-head); display: flex; align-items: baseline; gap: .5em; }
.panel > summary::-webkit-details-marker { display: none; }
.panel > summary::before { content: ""; flex: none; width: .5em; height: .5em; border: solid currentColor; border-width: 0 .14em .14em 0; transform: rotate(-45deg) translate(-.05em, -.05em); transition: transform .15s; }
.panel[open] > summary::before { transform: rotate(45deg) translate(-.1em, -.1em); }
.panel-mark { flex: none; }
.panel-title { font-weight: normal; font-size: .87em; }
.panel-title::before { content: ""; border-left: 2px solid var(--green); margin-right: .6em; }
.panel-body { padding: 0 1.25rem 1rem; }
.panel-body > :first-child { margin-top: .2em; }
.panel-body > :last-child { margin-bottom: 0; }
.panel-body :is(h2, h3, h4, h5, h6) { font-size: 1.02rem; margin: 1.5em 0 .4em; color: var(--panel-head); border: 0; padding: 0; }
.panel-body thead th { background: none; border-bottom-width: 2px; }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; scroll-behavior: auto !important; } }

.up { margin: 0 0 1rem; font-size: .875rem; }
.up a::before { content: "← "; }
.neighbours { display: flex; flex-wrap: wrap; gap: .8rem; margin: 3rem 0 1rem; }
.neighbours a { flex: 1 1 14rem; padding: .8rem 1.1rem; border: 1px solid var(--rule); border-radius: 8px; text-decoration: none; line-height: 1.5; }
.neighbours a:hover { border-color: var(--green); }
.neighbours span { display: block; color: var(--muted); font-size: .8rem; }
.neighbours [rel="next"] { text-align: right; }
.pages { list-style: none; padding: 0; max-inline-size: none; }
.pages li { padding: .9rem 0; border-bottom: 1px solid var(--rule); margin: 0; }
.pages a { font-size: 1.1rem; font-weight: bold; text-decoration: none; }
.pages a:hover { text-decoration: underline; }
.pages p { margin: .2rem 0 0; color: var(--muted); font-size: .925rem; }

@media (max-width: 40rem) {
  .layout { padding: .75rem; }
  h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; } h3 { font-size: 1.12rem; }
  pre { font-size: .8125rem; }
  pre.code { padding: .8rem .85rem; }
  .panel-body { padding: 0 .9rem .8rem; }
  .panel > summary { padding: .65rem .8rem; font-size: 1.05em; }
}

@media print {
  :root, :root[data-theme] {
    color-scheme: light; --bg: #fff; --fg: #000; --muted: #444; --rule: #bbb; --panel-bg: #fbf7f3; --panel-fg: #3d2f24; --panel-head: #3d2f24;
    --code-bg: #fff; --code-fg: #111; --code-rule: #999; --code-muted: #666; --inline-bg: #f4f0ec; --inline-fg: #5a2f12;
  }
  html { font-size: 10pt; }
  .toc, .skip, .bar, .up, .neighbours, .anchor, .copy, .folder, dialog { display: none !important; }
  .folded, .no-code main > .cell > .input, .no-outputs main > .cell > .outputs { display: revert; }
  .layout { display: block; max-width: none; padding: 0; }
  .prompt { position: static; text-align: left; }
  pre, .table, .out.rich, .outputs { overflow: visible; white-space: pre-wrap; overflow-wrap: anywhere; contain: none; }
  .table, .out.rich, .outputs { white-space: normal; }
  pre.code, .panel { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  .hljs-comment, .hljs-quote { color: #3c6e2c; } .hljs-keyword, .hljs-literal, .hljs-selector-tag { color: #0b4f91; }
  .hljs-string, .hljs-regexp, .hljs-addition { color: #8a3c12; } .hljs-number { color: #33691e; }
  .hljs-title, .hljs-section, .hljs-name { color: #5d4a00; } .hljs-built_in, .hljs-type, .hljs-class { color: #00645a; }
  .hljs-attr, .hljs-variable, .hljs-params, .hljs-property, .hljs-attribute { color: #1a4a66; } .hljs-meta, .hljs-tag, .hljs-deletion { color: #5b2d80; }
  .hljs-subst { color: inherit; }
  details::details-content { content-visibility: visible; block-size: auto; }
  details > :not(summary) { display: revert; }
  .panel > summary::before { display: none; }
  h1, h2, h3, h4, h5, h6, summary { break-after: avoid; }
  pre.code, img, tr, .panel > summary { break-inside: avoid; }
  a { color: inherit; }
}
${ansiRules()}`;

function ansiRules(): string {
  const names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
  const rules = names.map(
    (name) =>
      `.ansi-${name}-fg, .ansi-bright-${name}-fg { color: var(--ansi-${name}); }\n` +
      `.ansi-${name}-bg, .ansi-bright-${name}-bg { background: var(--ansi-${name}); color: var(--bg); }`,
  );
  return `${rules.join("\n")}\n`;
}

/** Added to the page's style when its cells can run. */
export const liveStyle = `
.live-box { border: 1px solid var(--rule); border-left: 5px solid var(--green); border-radius: 4px; background: var(--raise); padding: .2rem 1.1rem .4rem; margin: 1.2rem 0; }
.live-box p { margin: .5em 0; font-size: .9375rem; }
.live-tools { display: flex; flex-wrap: wrap; align-items: center; gap: .45rem; margin: .4rem 0 0; font-size: .8125rem; line-height: 1.5; }
:is(.live-tools, .live-box, .live-offer, .live-question, .live-dock) button { font: inherit; color: var(--fg); background: var(--raise); border: 1px solid var(--muted); border-radius: 6px; padding: .2rem .7rem; min-height: 1.9rem; cursor: pointer; }
:is(.live-tools, .live-box, .live-offer, .live-question, .live-dock) button:hover { border-color: var(--green); }
.live-run::before, .live-all::before, .live-again::before { content: ""; display: inline-block; margin-right: .45em; border: solid transparent; border-width: .38em 0 .38em .6em; border-left-color: var(--green); }
.live-stop::before { content: ""; display: inline-block; width: .65em; height: .65em; margin-right: .45em; background: var(--error); }
[data-live="loading"] .live-run, [data-live="waiting"] .live-run, [data-live="running"] .live-run, [data-live="stopping"] .live-run { opacity: .55; }
.live-status { color: var(--muted); }
[data-live="failed"] .live-status { color: var(--error); font-weight: bold; }
[data-live="running"] .live-status::before { content: ""; display: inline-block; width: .7em; height: .7em; margin-right: .45em; border: 2px solid var(--green); border-right-color: transparent; border-radius: 50%; animation: live-turn 1s linear infinite; }
@keyframes live-turn { to { transform: rotate(1turn); } }
.live-outputs { border-left-color: var(--green); }
.live-outputs progress { width: 100%; accent-color: var(--green); }
.live-offer, .live-question { border: 1px solid var(--rule); border-radius: 6px; background: var(--raise); padding: .5rem .8rem; margin: .5rem 0; font-size: .875rem; }
.live-question { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.live-question label { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.live-question input { padding: .3rem .5rem; border: 1px solid var(--muted); border-radius: 6px; background: var(--bg); color: var(--fg); }
.live-frame { display: grid; overflow-x: auto; background: var(--code-bg); border: 1px solid var(--green); border-radius: 8px; }
.live-frame:focus-within { outline: 3px solid var(--green); outline-offset: 2px; }
.live-frame > * { grid-area: 1 / 1; margin: 0; min-width: 100%; width: max-content; }
.live-frame pre.code { border: 0; overflow: visible; padding-right: 3rem; min-height: 3.2rem; }
.live-frame textarea { border: 0; border-radius: 0; padding: 1rem 1.15rem; background: transparent; color: transparent; caret-color: var(--code-fg); font: .875rem/1.55 ui-monospace, SFMono-Regular, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK JP", monospace; text-autospace: no-autospace; tab-size: 2; white-space: pre; overflow: hidden; resize: none; outline: none; width: auto; overflow-wrap: normal; }
.live-frame textarea::selection { background: rgb(120 170 255 / .35); color: transparent; }
.numbers .live-frame textarea { padding-left: calc(1.15rem + 3.5ch); }
.live-hint { font-size: .78rem; color: var(--muted); margin: .25rem 0 0; }
.live-wrong { background: #4d1613; box-shadow: -.4rem 0 0 #4d1613, -.6rem 0 0 #ff9d92; }
.live-docked body { padding-bottom: 4rem; }
.live-dock { position: fixed; z-index: 6; left: 0; right: 0; bottom: 0; display: flex; flex-wrap: wrap; justify-content: flex-end; align-items: center; gap: .5rem; padding: .5rem 1rem; background: var(--bg); border-top: 1px solid var(--rule); font-size: .875rem; line-height: 1.4; }
.live-dock.busy { border-top-color: var(--green); }
.live-now { flex: 1; min-width: 8rem; }
.live-spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
:is(.live-dock, .live-tools, .live-outputs, .outputs, .live-hint) [hidden], .outputs[hidden] { display: none; }
@media (max-width: 40rem) { .live-dock { padding: .35rem .6rem; } .live-dock:not(.busy) .live-now { display: none; } .live-frame textarea { font-size: .8125rem; padding: .8rem .85rem; } .numbers .live-frame textarea { padding-left: calc(.85rem + 3.5ch); } }
@media (prefers-reduced-motion: reduce) { [data-live="running"] .live-status::before { animation: none; } }
@media print { .live-box, .live-tools, .live-dock, .live-hint, .live-offer { display: none !important; } }
`;

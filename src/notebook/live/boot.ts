/** Puts Run and Edit beside the page's cells; everything else waits in the page as text until one is pressed. */
import { decodeBase91 } from "./base91.js";
import { bootKey, type LiveApp, type LiveBoot, type LiveManifest, type LivePart } from "./manifest.js";
import { fill } from "./words.js";

const manifest = JSON.parse(part("manifest")!.textContent!) as LiveManifest;
const { words } = manifest;
const boot: LiveBoot = { manifest, hasFiles: part("files") !== null, load };
let app: Promise<LiveApp> | undefined;

const main = document.querySelector("main")!;
const box = document.createElement("section");
box.className = "live-box";
box.setAttribute("aria-label", words.title);
const heading = document.createElement("p");
heading.append(element("strong", words.title));
const about = [words.about, words.aboutTypes, ...(manifest.hasPackedWeights ? [words.weights] : [])];
const tools = element("p");
tools.append(button("live-all", words.runAll, words.runAll, (app) => app.runAll()));
box.append(heading, element("p", about.join(manifest.ui === "ja" ? "" : " ")), tools);
// After what introduces the notebook.
const introduction = main.querySelector("h1")?.closest("main > *");
if (introduction) introduction.after(box);
else main.prepend(box);

manifest.cells.forEach(({ element: id, name }, index) => {
  const cell = id === undefined ? null : document.getElementById(id);
  const input = cell?.querySelector(".input");
  if (!input) return;
  const bar = element("div");
  bar.className = "live-tools";
  bar.append(
    button("live-run", words.run, fill(words.runLabel, { cell: name }), (app) => app.run(index)),
    button("live-edit", words.edit, fill(words.editLabel, { cell: name }), (app) => app.edit(index)),
  );
  input.after(bar);
});

function button(kind: string, text: string, label: string, act: (app: LiveApp) => void): HTMLButtonElement {
  const made = element("button", text) as HTMLButtonElement;
  made.type = "button";
  made.className = kind;
  if (label !== text) made.setAttribute("aria-label", label);
  made.addEventListener("click", async () => {
    if (!("DecompressionStream" in window)) return alert(words.unsupported);
    app ??= open();
    act(await app);
  });
  return made;
}

function element(tag: string, text = ""): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

async function open(): Promise<LiveApp> {
  Object.assign(globalThis, { [bootKey]: boot });
  const url = URL.createObjectURL(new Blob([await load("page")], { type: "text/javascript" }));
  const script = document.createElement("script");
  script.src = url;
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
  URL.revokeObjectURL(url);
  return boot.start!(boot);
}

function part(name: string): Element | null {
  return document.getElementById(`kaisetsu-live-${name}`);
}

async function load(name: LivePart): Promise<Uint8Array<ArrayBuffer>> {
  const packed = decodeBase91(part(name)!.textContent!);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

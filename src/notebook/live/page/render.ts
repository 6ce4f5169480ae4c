/** Outputs of a run to elements, by the exporter's own renderers and through the exporter's own gate. */
import { escapeHtml } from "../../escape.js";
import { createFragmentRenderer } from "../../export/fragments.js";
import { createOutline } from "../../export/outline.js";
import { renderOutput } from "../../export/outputs.js";
import { strings as allStrings } from "../../export/strings.js";
import type { Output } from "../../nbformat.js";

export function outputRenderer(ui: "ja" | "en"): (output: Output) => DocumentFragment {
  const fragments = createFragmentRenderer({
    strings: allStrings[ui],
    outline: createOutline((written) => Math.min(6, written + 2)),
    // KaTeX would be as large as all the rest of the page's part.
    renderMath: (tex) => `<code>${escapeHtml(tex)}</code>`,
    splitPhrases: (text) => [text],
  });
  return (output) => {
    const template = document.createElement("template");
    template.innerHTML = renderOutput(output, fragments);
    return template.content;
  };
}

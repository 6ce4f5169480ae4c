/** `highlight.js/lib/common` of the page: what its cells and their Markdown are likely to hold. For the bundle only. */
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import typescript from "highlight.js/lib/languages/typescript";

for (const [name, language] of Object.entries({ bash, javascript, json, typescript })) {
  hljs.registerLanguage(name, language);
}
export default hljs;

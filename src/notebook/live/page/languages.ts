/** The languages that the page colours: those of its cells, and what their Markdown is likely to hold. */
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";

for (const [name, language] of Object.entries({ bash, javascript, json, typescript, xml })) {
  hljs.registerLanguage(name, language);
}

import { createRequire } from "node:module";
import { PROTOCOL_VERSION } from "../wire.js";

/** The content of `kernel_info_reply`. */
export function kernelInfo(): Record<string, unknown> {
  const require = createRequire(import.meta.url);
  const { version } = require("../../../package.json") as { version: string };
  const { version: typescript } = require("typescript/package.json") as { version: string };
  return {
    protocol_version: PROTOCOL_VERSION,
    implementation: "kaisetsu",
    implementation_version: version,
    language_info: {
      name: "typescript",
      version: typescript,
      mimetype: "text/typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      codemirror_mode: "typescript",
      nbconvert_exporter: "script",
    },
    banner: `kaisetsu ${version}: TypeScript ${typescript} on Node.js ${process.versions.node}`,
    help_links: [
      { text: "TypeScript", url: "https://www.typescriptlang.org/docs/" },
      { text: "Node.js", url: "https://nodejs.org/docs/latest/api/" },
    ],
    debugger: false,
    supported_features: [],
  };
}

import { randomUUID } from "node:crypto";
import type { MimeBundle } from "../messages.js";
import { base64, sendDisplay } from "./display.js";

/** What `import * as tslab from "tslab"` gives in a cell: tslab's public interface, on this kernel. */
export function createTslab(versions: { typescript: string }) {
  return {
    __esModule: true as const,
    versions: { tslab: "1.0.22", typescript: versions.typescript, node: process.versions.node },
    display: displayWith(() => ({})),
    newDisplay() {
      const display_id = randomUUID();
      let shown = false;
      return displayWith(() => {
        const options = { display_id, update: shown };
        shown = true;
        return options;
      });
    },
  };
}

function displayWith(options: () => { display_id?: string; update?: boolean }) {
  const send = (data: MimeBundle) => sendDisplay(data, options());
  const text = (mime: string) => (content: string) => send({ [mime]: content });
  const bytes = (mime: string) => (content: Uint8Array) => send({ [mime]: base64(content) });
  return {
    javascript: text("text/javascript"),
    html: text("text/html"),
    markdown: text("text/markdown"),
    latex: text("text/latex"),
    svg: text("image/svg+xml"),
    text: text("text/plain"),
    png: bytes("image/png"),
    jpeg: bytes("image/jpeg"),
    gif: bytes("image/gif"),
    pdf: bytes("application/pdf"),
    raw: (mime: string, content: string | Uint8Array) =>
      send({ [mime]: typeof content === "string" ? content : base64(content) }),
  };
}

import ts = require("typescript");

import type { CellCompiler } from "./cell.js";
import { prepare } from "./complete.js";

export interface Inspection {
  found: boolean;
  data: Record<string, string>;
}

/** Type and documentation of what stands at the cursor, or of the function whose arguments are being written. */
export function inspectAt(compiler: CellCompiler, code: string, cursor: number, detail: number): Inspection {
  const offset = prepare(compiler, code);
  const { service, cellFile } = compiler.service;
  const position = offset + cursor;
  const at = (where: number) => {
    const info = service.getQuickInfoAtPosition(cellFile, where);
    // Of a name that means nothing, the compiler says that it is of type any.
    return info && info.kind !== ts.ScriptElementKind.unknown ? info : undefined;
  };
  // Right behind a name is still at the name.
  const info = at(position) ?? (cursor > 0 ? at(position - 1) : undefined);
  if (info) return shown(ts.displayPartsToString(info.displayParts), docAt(compiler, info.textSpan.start), detail);
  const help = service.getSignatureHelpItems(cellFile, position, undefined);
  const item = help?.items[help.selectedItemIndex];
  if (!item) return { found: false, data: {} };
  const parts = (list: ts.SymbolDisplayPart[] | undefined) => ts.displayPartsToString(list);
  const parameters = item.parameters
    .map(({ displayParts }) => parts(displayParts))
    .join(parts(item.separatorDisplayParts));
  const signature = `${parts(item.prefixDisplayParts)}${parameters}${parts(item.suffixDisplayParts)}`;
  return shown(signature, docAt(compiler, help!.applicableSpan.start - 2), detail);
}

interface Doc {
  description: string;
  /** `@param a …`, one each. */
  tags: string[];
}

/** The doc comment of what is named at `position`. The compiler does not parse them: that costs each start 0.2 s. */
function docAt({ service: { service, cellFile } }: CellCompiler, position: number): Doc {
  for (const { fileName, contextSpan, textSpan } of service.getDefinitionAtPosition(cellFile, position) ?? []) {
    const text = service.getProgram()?.getSourceFile(fileName)?.text ?? "";
    const before = text.slice(0, (contextSpan ?? textSpan).start).trimEnd();
    if (before.endsWith("*/")) return parseDoc(before.slice(before.lastIndexOf("/**") + 3, -2));
  }
  return { description: "", tags: [] };
}

function parseDoc(comment: string): Doc {
  const lines = comment.split("\n").map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  const text = lines.join("\n").replace(/\{@link(?:code|plain)?\s+([^}]*)\}/g, "$1");
  const [description = "", ...tags] = text.split(/^(?=@\w)/m);
  return { description: description.trim(), tags: tags.map((tag) => tag.trim()) };
}

/** Level 0 has the type and the description; level 1 all doc tags as well. */
function shown(type: string, { description, tags }: Doc, detail: number): Inspection {
  const details = detail > 0 ? tags : [];
  const text = [type, description, details.join("\n")].filter((part) => part !== "").join("\n\n");
  const markdown = [
    `\`\`\`typescript\n${type}\n\`\`\``,
    description,
    details.map((line) => line.replace(/^(@\S+)/, "*$1*")).join("  \n"),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
  return { found: true, data: { "text/plain": text, "text/markdown": markdown } };
}

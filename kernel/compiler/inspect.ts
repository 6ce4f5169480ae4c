import ts from "typescript";
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
  if (info) return shown(ts.displayPartsToString(info.displayParts), info.documentation, info.tags, detail);
  const help = service.getSignatureHelpItems(cellFile, position, undefined);
  const item = help?.items[help.selectedItemIndex];
  if (!item) return { found: false, data: {} };
  const parts = (list: ts.SymbolDisplayPart[] | undefined) => ts.displayPartsToString(list);
  const parameters = item.parameters
    .map(({ displayParts }) => parts(displayParts))
    .join(parts(item.separatorDisplayParts));
  const signature = `${parts(item.prefixDisplayParts)}${parameters}${parts(item.suffixDisplayParts)}`;
  return shown(signature, item.documentation, item.tags, detail);
}

/** Level 0 has the type and the description; level 1 all doc tags as well. */
function shown(
  type: string,
  documentation: ts.SymbolDisplayPart[] | undefined,
  tags: ts.JSDocTagInfo[] | undefined,
  detail: number,
): Inspection {
  const description = ts.displayPartsToString(documentation);
  const details =
    detail > 0 ? (tags ?? []).map(({ name, text }) => `@${name} ${ts.displayPartsToString(text)}`.trimEnd()) : [];
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

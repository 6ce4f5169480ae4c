/** Pictures that Markdown names: attachments and files beside the notebook become data, everything else a note. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { extname, resolve, sep } from "node:path";
import { text } from "../mime.js";

const types: Record<string, string> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".bmp": "image/bmp",
  ".svg": "image/svg+xml",
};

const largestImage = 20_000_000;

export type ImageSource = { data: string } | { problem: "remote" | "missing" };

/**
 * @param folder the notebook's
 * @param root a picture outside of it is not read, whatever `..` or symbolic link leads there
 */
export function resolveImage(
  source: string,
  folder: string | undefined,
  attachments: Record<string, Record<string, unknown>> = {},
  root = folder,
): ImageSource {
  if (/^data:image\//i.test(source)) return { data: source };
  if (/^attachment:/i.test(source)) return attached(decode(source.slice("attachment:".length)), attachments);
  if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(source) || source === "") return { problem: "remote" };
  const data = folder === undefined ? undefined : readImage(decode(source.replace(/[?#].*$/, "")), folder, root!);
  return data === undefined ? { problem: "missing" } : { data };
}

function attached(name: string, attachments: Record<string, Record<string, unknown>>): ImageSource {
  const bundle = Object.hasOwn(attachments, name) ? attachments[name]! : {};
  for (const [type, value] of Object.entries(bundle)) {
    const content = text(value);
    if (Object.values(types).includes(type) && content !== undefined) return { data: imageData(type, content) };
  }
  return { problem: "missing" };
}

/** @param content base64, or the text of an SVG */
export function imageData(type: string, content: string): string {
  if (type === "image/svg+xml" && /^\s*</.test(content)) {
    return `data:image/svg+xml;base64,${Buffer.from(content).toString("base64")}`;
  }
  return `data:${type};base64,${content.replace(/[^A-Za-z0-9+/=]/g, "")}`;
}

function readImage(path: string, folder: string, top: string): string | undefined {
  const type = types[extname(path).toLowerCase()];
  if (type === undefined || path.includes("\0")) return undefined;
  try {
    const root = realpathSync(top);
    const file = realpathSync(resolve(folder, path));
    if (!file.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
    // A link named .png may lead to anything inside the folder, so the real name counts.
    if (types[extname(file).toLowerCase()] !== type) return undefined;
    const { size } = statSync(file);
    if (size > largestImage) return undefined;
    return `data:${type};base64,${readFileSync(file).toString("base64")}`;
  } catch {
    return undefined;
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

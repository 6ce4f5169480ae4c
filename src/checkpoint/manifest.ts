import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { isAbsolute, join, sep } from "node:path";

/** The file that makes a checkpoint whole: it is written last and lists every other file. */
export const manifestName = "manifest.json";

export interface Manifest {
  format: "kaisetsu-checkpoint";
  version: 1 | 2;
  /** Which training run wrote it; a resumed run keeps its id. */
  run_id: string;
  global_step: number;
  /** ISO 8601. */
  created: string;
  /** By path inside the folder, with forward slashes. */
  files: Record<string, { size: number; sha256: string }>;
  /** From version 2 on: SHA-256 of everything above, so that damage to the manifest itself is seen. */
  digest?: string;
}

/** Flushes every file of a folder to disk and lists it. */
export async function makeManifest(dir: string, run: { run_id: string; global_step: number }): Promise<Manifest> {
  const files: Manifest["files"] = {};
  // Together: a disk takes about as long to flush a dozen files as one.
  const entries = (await listFiles(dir)).map(async (name) => {
    const path = join(dir, name);
    await flush(path);
    files[name.split(sep).join("/")] = { size: (await stat(path)).size, sha256: await sha256(path) };
  });
  await Promise.all(entries);
  const created = new Date().toISOString();
  const manifest: Manifest = { format: "kaisetsu-checkpoint", version: 2, ...run, created, files };
  return { ...manifest, digest: digestOf(manifest) };
}

/**
 * Why a folder is not what its manifest says, or undefined when it is. Files beside those listed are allowed.
 * @throws when the manifest itself is missing or unreadable
 */
export async function findDamage(dir: string, manifest: Manifest): Promise<string | undefined> {
  for (const [name, { size, sha256: expected }] of Object.entries(manifest.files)) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (!found) return `${name} is missing`;
    if (found.size !== size) return `${name} has ${found.size} bytes instead of ${size}`;
    if ((await sha256(path)) !== expected) return `${name} does not match its SHA-256`;
  }
  return undefined;
}

/** @throws SyntaxError when it is no manifest; the file system's error when it cannot be read */
export async function readManifest(dir: string): Promise<Manifest> {
  const manifest = JSON.parse(await readFile(join(dir, manifestName), "utf8")) as Manifest;
  if (manifest?.format !== "kaisetsu-checkpoint") throw new SyntaxError("it is no checkpoint manifest");
  if (manifest.version !== 1 && manifest.version !== 2) {
    throw new SyntaxError(`its version is ${manifest.version}, and this release reads 1 and 2`);
  }
  const files = manifest.files as Record<string, { size?: unknown; sha256?: unknown }> | null;
  if (typeof files !== "object" || files === null) throw new SyntaxError("it lists no files");
  for (const [name, entry] of Object.entries(files)) {
    if (typeof entry?.size !== "number" || typeof entry.sha256 !== "string")
      throw new SyntaxError(`its entry for ${name} is broken`);
    if (isAbsolute(name) || name.split("/").includes(".."))
      throw new SyntaxError(`it lists ${name}, outside of its folder`);
  }
  if (manifest.version === 2 && manifest.digest !== digestOf(manifest)) {
    throw new SyntaxError("it does not match its own digest");
  }
  return manifest;
}

function digestOf({ digest: _, ...content }: Manifest): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}

/** Flushes a file, or the names in a folder, to disk. */
export async function flush(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } catch (error) {
    // Some systems (Windows, a few network drives) cannot flush a folder; its files are flushed already.
    if (!["EPERM", "EINVAL", "EISDIR", "ENOTSUP", "EBADF"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
  } finally {
    await handle.close();
  }
}

async function listFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .filter((name) => name !== manifestName)
    .sort();
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest("hex");
}

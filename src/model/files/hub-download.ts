import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, statSync } from "node:fs";
import { copyFile, rename, rm, symlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { ListFileEntry } from "@huggingface/hub";
import { PretrainedFilesError } from "../errors.js";

export interface BlobRequest {
  id: string;
  /** A commit. */
  revision: string;
  file: ListFileEntry;
  /** The repository's folder in the cache. */
  repository: string;
  snapshot: string;
  hubUrl: string;
  accessToken?: string;
}

const ATTEMPTS = 3;
/** Smaller files come without a message. */
const NOTICE_BYTES = 10_000_000;

/**
 * Brings one file into the cache, in huggingface_hub's layout: the bytes under `blobs/<hash>`, a link to them in the
 * snapshot. `<hash>.incomplete` is what an earlier attempt left; the download goes on behind it.
 * @throws PretrainedFilesError when what came is not what the hub announced
 */
export async function downloadBlob(request: BlobRequest): Promise<void> {
  const { file, repository, snapshot, id } = request;
  const size = file.lfs?.size ?? file.size;
  const hash = file.lfs?.oid ?? file.oid;
  if (!hash) throw new PretrainedFilesError(`${id}: the hub gives no hash for ${file.path}`);
  const blob = join(repository, "blobs", hash);
  if (!existsSync(blob)) {
    const partial = `${blob}.incomplete`;
    if (size > NOTICE_BYTES) console.info(`Downloading ${id}/${file.path} (${(size / 1e9).toFixed(2)} GB)`);
    for (let attempt = 1; bytesOf(partial) !== size || size === 0; attempt++) {
      try {
        await append(request, partial, size);
        break;
      } catch (error) {
        if (attempt === ATTEMPTS || error instanceof PretrainedFilesError) throw error;
      }
    }
    await verify(partial, file, size);
    await rename(partial, blob);
  }
  const link = join(snapshot, file.path);
  try {
    await symlink(relative(snapshot, blob), link);
  } catch {
    // Windows without the right to make links.
    await copyFile(blob, link);
  }
}

/** Fetches what `partial` lacks. */
async function append({ id, file, revision, hubUrl, accessToken }: BlobRequest, partial: string, size: number) {
  const { downloadFile } = await import("@huggingface/hub");
  const blob = await downloadFile({
    repo: id,
    path: file.path,
    revision,
    hubUrl,
    // Plain HTTP: what has come is a beginning of the file, and the rest is asked for by a range.
    xet: false,
    ...(accessToken && { accessToken }),
  });
  if (!blob) throw new PretrainedFilesError(`${id} has no file ${file.path}`);
  if (blob.size !== size) {
    throw new PretrainedFilesError(`${id}/${file.path}: the hub announced ${size} bytes but sends ${blob.size}`);
  }
  let have = bytesOf(partial);
  if (have > size) {
    await rm(partial);
    have = 0;
  }
  const rest = have ? blob.slice(have) : blob;
  await pipeline(Readable.fromWeb(rest.stream() as ReadableStream), createWriteStream(partial, { flags: "a" }));
  if (bytesOf(partial) !== size) throw new TypeError(`the connection ended after ${bytesOf(partial)} of ${size} bytes`);
}

/** Large files are named by their SHA-256, small ones by git's hash. */
async function verify(path: string, file: ListFileEntry, size: number): Promise<void> {
  const hash = createHash(file.lfs ? "sha256" : "sha1");
  if (!file.lfs) hash.update(`blob ${size}\0`);
  await pipeline(createReadStream(path), hash);
  if (hash.digest("hex") === (file.lfs?.oid ?? file.oid)) return;
  await rm(path);
  throw new PretrainedFilesError(
    `${file.path}: what was downloaded has another hash than the hub announced; try again`,
  );
}

const bytesOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

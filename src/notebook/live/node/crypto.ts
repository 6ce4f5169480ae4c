/** `node:crypto` of the page: hashes and random values. */
import { md5, sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { Buffer } from "buffer/";
import { NotInPageError } from "./errors.js";
import { toBytes } from "./fs.js";

const hashes = { md5, sha1, sha256, sha384, sha512 };

export function createHash(algorithm: string): Hash {
  const make = hashes[algorithm.toLowerCase() as keyof typeof hashes];
  if (!make) throw new NotInPageError(`createHash("${algorithm}")`);
  return new Hash(make.create());
}

class Hash {
  constructor(private readonly state: { update(data: Uint8Array): unknown; digest(): Uint8Array }) {}
  update(data: string | ArrayBufferView, encoding?: BufferEncoding): this {
    this.state.update(toBytes(data, encoding));
    return this;
  }
  digest(encoding?: BufferEncoding): Buffer | string {
    const bytes = Buffer.from(this.state.digest());
    return encoding ? bytes.toString(encoding) : bytes;
  }
}

export function randomBytes(size: number): Buffer {
  return Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(size)));
}

/** Not `crypto.randomUUID`, which only pages of a secure origin have. */
export function randomUUID(): string {
  const bytes = randomBytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export const webcrypto = globalThis.crypto;

/** Several files in one piece of bytes: the length of a JSON header, the header, the files. */

export function packArchive(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const header = new TextEncoder().encode(JSON.stringify([...files].map(([name, { length }]) => [name, length])));
  const size = [...files.values()].reduce((sum, { length }) => sum + length, 4 + header.length);
  const result = new Uint8Array(size);
  new DataView(result.buffer).setUint32(0, header.length, true);
  result.set(header, 4);
  let at = 4 + header.length;
  for (const data of files.values()) {
    result.set(data, at);
    at += data.length;
  }
  return result;
}

export function unpackArchive(bytes: Uint8Array<ArrayBuffer>): Map<string, Uint8Array<ArrayBuffer>> {
  const headerEnd = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const entries = JSON.parse(new TextDecoder().decode(bytes.subarray(4, headerEnd))) as [string, number][];
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  let at = headerEnd;
  for (const [name, length] of entries) {
    files.set(name, bytes.slice(at, at + length));
    at += length;
  }
  return files;
}

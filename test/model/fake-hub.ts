import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface FakeHub {
  url: string;
  /** "GET /path bytes=…" of every request for a file's contents beyond the size probe. */
  requests: string[];
  /** Cuts the next transfer of each of these files after so many bytes. */
  cut: Map<string, number>;
  close(): Promise<void>;
}

const COMMIT = "c0ffee".padEnd(40, "0");

/** A Hugging Face hub with one gated model: what a folder holds. Safetensors are LFS files, the rest is plain git. */
export async function fakeHub(id: string, folder: string, token: string): Promise<FakeHub> {
  const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
  const requests: string[] = [];
  const cut = new Map<string, number>();
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const path = decodeURIComponent(new URL(request.url!, "http://hub").pathname);
    const json = (value: unknown, status = 200) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    if (!path.includes(id)) return json({ error: "Repository not found" }, 404);
    if (request.headers.authorization !== `Bearer ${token}`) return json({ error: "gated" }, 401);
    if (path.startsWith(`/api/models/${id}/revision/`)) {
      return json({
        _id: "1",
        id,
        sha: COMMIT,
        private: false,
        gated: "manual",
        downloads: 0,
        likes: 0,
        lastModified: 0,
      });
    }
    if (path === `/api/models/${id}/tree/${COMMIT}`) return json([...files].map(entry));
    const name = path.slice(`/${id}/resolve/${COMMIT}/`.length);
    const bytes = files.get(name);
    if (!bytes) return json({ error: "Entry not found" }, 404);
    send(request, response, name, bytes);
  };
  const send = (request: IncomingMessage, response: ServerResponse, name: string, bytes: Buffer) => {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const from = range ? Number(range[1]) : 0;
    const to = range?.[2] ? Number(range[2]) + 1 : bytes.length;
    const headers: Record<string, string> = { etag: `"${name}"`, "content-length": String(to - from) };
    if (range) headers["content-range"] = `bytes ${from}-${to - 1}/${bytes.length}`;
    response.writeHead(range ? 206 : 200, headers);
    if (to - from > 1) requests.push(`${name} ${from}`);
    const limit = cut.get(name);
    if (limit === undefined || to - from <= 1) return response.end(bytes.subarray(from, to));
    cut.delete(name);
    response.write(bytes.subarray(from, from + limit), () => setTimeout(() => response.destroy(), 20));
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    cut,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function entry([path, bytes]: [string, Buffer]) {
  const size = bytes.length;
  const git = createHash("sha1").update(`blob ${size}\0`).update(bytes).digest("hex");
  if (!path.endsWith(".safetensors")) return { type: "file", path, size, oid: git };
  const oid = createHash("sha256").update(bytes).digest("hex");
  return { type: "file", path, size, oid: git, lfs: { oid, size, pointerSize: 134 } };
}

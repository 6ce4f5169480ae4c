import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
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

/**
 * A Hugging Face hub with one gated model: what a folder holds. As on the real one, everybody may list it and nobody but
 * `token` may read it; safetensors are large files, which another host sends by a signed address and which the Xet protocol
 * offers, the rest is plain git.
 */
export async function fakeHub(id: string, folder: string, token: string): Promise<FakeHub> {
  const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
  const requests: string[] = [];
  const cut = new Map<string, number>();
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const path = decodeURIComponent(new URL(request.url!, "http://hub").pathname);
    const { authorization, accept } = request.headers;
    const json = (value: unknown, status = 200, headers = {}) => {
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
    };
    if (!path.includes(id)) {
      return authorization
        ? json({ error: "Repository not found" }, 404)
        : json({ error: "Invalid username or password." }, 401);
    }
    if (path.startsWith(`/api/models/${id}/revision/`)) {
      const counts = { private: false, gated: "manual", downloads: 0, likes: 0, lastModified: 0 };
      return json({ _id: "1", id, sha: COMMIT, ...counts });
    }
    if (path === `/api/models/${id}/tree/${COMMIT}`) return json([...files].map(entry));
    if (authorization !== `Bearer ${token}`) {
      const [status, rest] = authorization
        ? [403, "and you are not in the authorized list. Visit the model's page to ask for access."]
        : [401, "You must have access to it and be authenticated to access it. Please log in."];
      response.writeHead(status as number, { "content-type": "text/plain", "x-error-code": "GatedRepo" });
      return response.end(`Access to model ${id} is restricted ${rest}`);
    }
    const name = path.slice(`/${id}/resolve/${COMMIT}/`.length);
    const bytes = files.get(name);
    if (!bytes) return json({ error: "Entry not found" }, 404, { "x-error-code": "EntryNotFound" });
    if (!name.endsWith(".safetensors")) return send(request, response, name, bytes);
    const linked = {
      "x-linked-size": String(bytes.length),
      "x-linked-etag": `"${name}"`,
      "x-xet-hash": "0".repeat(64),
    };
    if (accept?.includes("application/vnd.xet-fileinfo+json")) {
      const link = '<http://127.0.0.1:9/auth>; rel="xet-auth", <http://127.0.0.1:9/r>; rel="xet-reconstruction-info"';
      return json({}, 200, { ...linked, link, "content-type": "application/vnd.xet-fileinfo+json" });
    }
    response.writeHead(302, { ...linked, location: `${addressOf(cdn)}/${name}?signature=valid` }).end();
  };
  /** Such a host takes a signature or a token, never both. */
  const signed = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url!, "http://cdn");
    if (request.headers.authorization || searchParams.get("signature") !== "valid")
      return response.writeHead(400).end();
    send(request, response, pathname.slice(1), files.get(pathname.slice(1))!);
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
  const cdn = await listening(signed);
  const server = await listening(answer);
  return {
    url: addressOf(server),
    requests,
    cut,
    close: async () => {
      for (const each of [server, cdn]) {
        each.closeAllConnections();
        await new Promise((resolve) => each.close(resolve));
      }
    },
  };
}

async function listening(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const addressOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function entry([path, bytes]: [string, Buffer]) {
  const size = bytes.length;
  const git = createHash("sha1").update(`blob ${size}\0`).update(bytes).digest("hex");
  if (!path.endsWith(".safetensors")) return { type: "file", path, size, oid: git };
  const oid = createHash("sha256").update(bytes).digest("hex");
  return { type: "file", path, size, oid: git, lfs: { oid, size, pointerSize: 134 } };
}

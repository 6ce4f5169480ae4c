import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";

/** The connection file that a Jupyter client hands to a kernel. */
export interface ConnectionInfo {
  transport: "tcp" | "ipc";
  ip: string;
  shell_port: number;
  iopub_port: number;
  stdin_port: number;
  control_port: number;
  hb_port: number;
  key: string;
  signature_scheme: string;
  kernel_name?: string;
}

export type Channel = "shell" | "iopub" | "stdin" | "control" | "hb";
const channels: Channel[] = ["shell", "iopub", "stdin", "control", "hb"];

export class ConnectionFileError extends Error {
  override name = "ConnectionFileError";
}

/** Throws `ConnectionFileError` naming the field that is missing or unusable. */
export function readConnectionFile(path: string): ConnectionInfo {
  let info: ConnectionInfo;
  try {
    info = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new ConnectionFileError(`cannot read the connection file ${path}: ${(error as Error).message}`);
  }
  for (const channel of channels) {
    if (!Number.isInteger(info[`${channel}_port`])) {
      throw new ConnectionFileError(`${path}: "${channel}_port" must be a whole number`);
    }
  }
  if (typeof info.ip !== "string") throw new ConnectionFileError(`${path}: "ip" is missing`);
  const scheme = info.signature_scheme ?? "hmac-sha256";
  if (info.key && scheme !== "hmac-sha256") {
    throw new ConnectionFileError(`${path}: signature scheme "${scheme}" is not supported; use "hmac-sha256"`);
  }
  return { ...info, transport: info.transport ?? "tcp", key: info.key ?? "", signature_scheme: scheme };
}

export function address(info: ConnectionInfo, channel: Channel): string {
  const port = info[`${channel}_port`];
  return info.transport === "ipc" ? `ipc://${info.ip}-${port}` : `tcp://${info.ip}:${port}`;
}

/** Five ports of this machine that are free now, written to `path` for a kernel to read. */
export async function writeConnectionFile(path: string, kernelName: string): Promise<ConnectionInfo> {
  const [shell, iopub, stdin, control, hb] = await freePorts(5);
  const info: ConnectionInfo = {
    transport: "tcp",
    ip: "127.0.0.1",
    shell_port: shell!,
    iopub_port: iopub!,
    stdin_port: stdin!,
    control_port: control!,
    hb_port: hb!,
    key: randomUUID(),
    signature_scheme: "hmac-sha256",
    kernel_name: kernelName,
  };
  // The key is the only thing that keeps other users of this machine from running code as us.
  writeFileSync(path, JSON.stringify(info, null, 2), { mode: 0o600 });
  return info;
}

/** All are held open until all are known, or the same one could come twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, "127.0.0.1", resolve);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

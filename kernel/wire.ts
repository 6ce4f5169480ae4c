import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";

/** The Jupyter message format on ZeroMQ: identities, delimiter, signature, four JSON dicts, raw buffers. */

export interface Header {
  msg_id: string;
  msg_type: string;
  session: string;
  username: string;
  date: string;
  version: string;
  subshell_id?: string | null;
}

export interface Message<Content = Record<string, unknown>> {
  identities: Buffer[];
  header: Header;
  /** `{}` for a message that answers nothing. */
  parent_header: Header | Record<string, never>;
  metadata: Record<string, unknown>;
  content: Content;
  buffers: Buffer[];
}

export const PROTOCOL_VERSION = "5.5";
const DELIMITER = Buffer.from("<IDS|MSG>");

export class WireError extends Error {
  override name = "WireError";
}

export function makeHeader(msgType: string, session: string, username = "kernel"): Header {
  return {
    msg_id: randomUUID(),
    msg_type: msgType,
    session,
    username,
    date: new Date().toISOString(),
    version: PROTOCOL_VERSION,
  };
}

/** Frames ready to send. An empty `key` means unsigned, as the protocol says. */
export function encode(message: Message<unknown>, key: string): Buffer[] {
  const dicts = [message.header, message.parent_header, message.metadata, message.content].map((part) =>
    Buffer.from(JSON.stringify(part)),
  );
  return [...message.identities, DELIMITER, Buffer.from(sign(dicts, key)), ...dicts, ...message.buffers];
}

/** Throws `WireError` for anything that is not a whole, rightly signed message. */
export function decode(frames: Buffer[], key: string): Message {
  const delimiter = frames.findIndex((frame) => frame.equals(DELIMITER));
  if (delimiter < 0) throw new WireError("no <IDS|MSG> delimiter in the message");
  const [signature, ...rest] = frames.slice(delimiter + 1);
  if (signature === undefined || rest.length < 4) throw new WireError("a message needs a signature and four parts");
  const dicts = rest.slice(0, 4);
  // Buffers are not part of the signature (tslab signs them and so cannot talk to widgets).
  if (key !== "" && !sameSignature(signature, sign(dicts, key))) throw new WireError("wrong signature");
  const [header, parent, metadata, content] = dicts.map(parseDict);
  if (typeof header!.msg_type !== "string" || typeof header!.msg_id !== "string") {
    throw new WireError("the header has no msg_type or msg_id");
  }
  return {
    identities: frames.slice(0, delimiter),
    header: header as unknown as Header,
    parent_header: parent as Header | Record<string, never>,
    metadata: metadata!,
    content: content!,
    buffers: rest.slice(4),
  };
}

function sign(dicts: Buffer[], key: string): string {
  if (key === "") return "";
  const hmac = createHmac("sha256", key);
  for (const part of dicts) hmac.update(part);
  return hmac.digest("hex");
}

function sameSignature(given: Buffer, expected: string): boolean {
  const wanted = Buffer.from(expected);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function parseDict(frame: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(frame.toString("utf8"));
  } catch (error) {
    throw new WireError(`a part of the message is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new WireError("a part of the message is not a JSON object");
  }
  return value as Record<string, unknown>;
}

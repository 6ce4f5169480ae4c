import { SafetensorsError } from "../errors.js";

/** The element types of the safetensors format. */
export type StoredDtype = keyof typeof DTYPE_BYTES;

/** Where a tensor lies: `begin` and `end` are byte offsets from the end of the header. */
export interface TensorEntry {
  dtype: StoredDtype;
  shape: number[];
  begin: number;
  end: number;
}

const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/**
 * Parses and validates a safetensors header: the tensors must cover the data exactly, without holes or overlaps.
 * @throws SafetensorsError
 */
export function parseHeader(
  path: string,
  header: Buffer,
  dataBytes: number,
): { metadata: Record<string, string>; tensors: Map<string, TensorEntry> } {
  const fail = (problem: string): never => {
    throw new SafetensorsError(path, problem);
  };
  if (header[0] !== 0x7b) fail('its header does not start with "{"');
  let parsed: unknown;
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(header);
    parsed = JSON.parse(text);
  } catch (error) {
    fail(`its header is not UTF-8 JSON (${(error as Error).message})`);
  }
  // JSON.parse silently keeps the last of two equal names.
  const duplicate = duplicateName(text);
  if (duplicate !== undefined) fail(`its header names ${duplicate} twice`);

  let metadata: Record<string, string> = {};
  const tensors = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(parsed as object)) {
    if (name === "__metadata__") {
      if (!isObject(value) || Object.values(value).some((v) => typeof v !== "string")) {
        fail("its __metadata__ is not a map from strings to strings");
      }
      metadata = value as Record<string, string>;
      continue;
    }
    tensors.set(name, parseEntry(name, value, fail));
  }

  let expected = 0;
  for (const [name, entry] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== expected) {
      fail(`${name} starts at byte ${entry.begin} of the data, expected ${expected} (a hole or an overlap)`);
    }
    expected = entry.end;
  }
  if (expected !== dataBytes) fail(`its tensors take ${expected} bytes but the file holds ${dataBytes} bytes of data`);
  return { metadata, tensors };
}

function parseEntry(name: string, value: unknown, fail: (problem: string) => never): TensorEntry {
  if (!isObject(value)) fail(`the entry of ${name} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (typeof dtype !== "string" || !Object.hasOwn(DTYPE_BYTES, dtype)) fail(`${name} has the unknown dtype ${dtype}`);
  if (!isCounts(shape)) fail(`${name} has a malformed shape`);
  if (!isCounts(offsets) || (offsets as number[]).length !== 2) fail(`${name} has malformed data_offsets`);
  const [begin, end] = offsets as [number, number];
  const bytes = (shape as number[]).reduce((a, b) => a * b, 1) * DTYPE_BYTES[dtype as StoredDtype];
  if (end - begin !== bytes) {
    fail(`${name} of dtype ${dtype} and shape [${shape}] needs ${bytes} bytes but spans ${end - begin}`);
  }
  return { dtype: dtype as StoredDtype, shape: shape as number[], begin, end };
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

/** The first name that occurs twice at the top level of a JSON object known to be well formed. */
function duplicateName(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && token.endsWith(":")) {
      const name = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1)) as string;
      if (seen.has(name)) return name;
      seen.add(name);
    }
  }
  return undefined;
}

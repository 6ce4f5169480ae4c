import { appendFile, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** One executed cell: session number, execution count, code, and the text of its result. */
interface Entry {
  session: number;
  line: number;
  input: string;
  output?: string;
}

export interface HistoryRequest {
  hist_access_type?: "range" | "tail" | "search";
  output?: boolean;
  session?: number;
  start?: number;
  stop?: number | null;
  n?: number | null;
  pattern?: string;
  unique?: boolean;
}

type Triple = [session: number, line: number, input: string | [input: string, output: string | null]];

/** What was typed, in this session and in those before it: kept in a file of JSON lines that all kernels append to. */
export class History {
  private readonly path: string;
  private readonly earlier: Entry[];
  private readonly own: Entry[] = [];
  readonly session: number;

  constructor(path: string = historyPath()) {
    this.path = path;
    this.earlier = readEntries(path);
    this.session = this.earlier.reduce((max, { session }) => Math.max(max, session), 0) + 1;
  }

  add(line: number, input: string, output: string | undefined): void {
    const entry: Entry = { session: this.session, line, input, output };
    this.own.push(entry);
    if (this.own.length > MAX_ENTRIES) this.own.shift();
    // A history that cannot be written is no reason to fail a cell.
    appendFile(this.path, `${JSON.stringify(entry)}\n`, { mode: 0o600 }, () => {});
  }

  find(request: HistoryRequest): Triple[] {
    const found = this.select(request);
    return found.map(({ session, line, input, output }) => [
      session,
      line,
      request.output ? [input, output ?? null] : input,
    ]);
  }

  private select(request: HistoryRequest): Entry[] {
    const all = [...this.earlier, ...this.own];
    const n = request.n ?? undefined;
    if (request.hist_access_type === "range") return this.range(all, request);
    if (request.hist_access_type === "search") {
      const pattern = globPattern(request.pattern ?? "*");
      const matching = all.filter(({ input }) => pattern.test(input));
      const chosen = request.unique ? lastOfEach(matching) : matching;
      return n === undefined ? chosen : last(chosen, n);
    }
    return last(all, n ?? 10);
  }

  /** `session` 0 is this one, negative ones count back from it. `stop` is excluded. */
  private range(all: Entry[], request: HistoryRequest): Entry[] {
    const given = request.session ?? 0;
    const session = given > 0 ? given : this.session + given;
    const start = request.start ?? 0;
    const stop = request.stop ?? Number.POSITIVE_INFINITY;
    return all.filter((entry) => entry.session === session && entry.line >= start && entry.line < stop);
  }
}

const MAX_ENTRIES = 10_000;
const MAX_BYTES = 8 << 20;

function historyPath(): string {
  const data =
    process.env.KAISETSU_DATA_DIR || join(process.env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "kaisetsu");
  return join(data, "history.jsonl");
}

function readEntries(path: string): Entry[] {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const large = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_BYTES;
    const lines = readFileSync(path, "utf8")
      .split("\n")
      .slice(-MAX_ENTRIES - 1);
    const entries = lines.flatMap(parseEntry);
    if (large) rewrite(path, entries);
    return entries;
  } catch {
    return [];
  }
}

function parseEntry(line: string): Entry[] {
  try {
    const entry = JSON.parse(line) as Entry;
    return Number.isInteger(entry.session) && typeof entry.input === "string" ? [entry] : [];
  } catch {
    return [];
  }
}

function rewrite(path: string, entries: Entry[]): void {
  const temporary = `${path}.${process.pid}`;
  const half = entries.slice(-MAX_ENTRIES / 2);
  writeFileSync(temporary, half.map((entry) => `${JSON.stringify(entry)}\n`).join(""), { mode: 0o600 });
  renameSync(temporary, path);
}

function last<T>(items: T[], n: number): T[] {
  return n <= 0 ? [] : items.slice(-n);
}

function lastOfEach(entries: Entry[]): Entry[] {
  const byInput = new Map<string, Entry>();
  for (const entry of entries) {
    byInput.delete(entry.input);
    byInput.set(entry.input, entry);
  }
  return [...byInput.values()];
}

/** `*`, `?` and `[abc]` as in a shell, over the whole cell. */
function globPattern(glob: string): RegExp {
  const source = glob.replace(/\[(!?)([^\]]+)\]|[\s\S]/g, (part, not: string | undefined, set: string | undefined) => {
    if (set !== undefined) return `[${not ? "^" : ""}${set.replace(/[\\\]^]/g, "\\$&")}]`;
    if (part === "*") return "[\\s\\S]*";
    if (part === "?") return "[\\s\\S]";
    return part.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${source}$`);
}

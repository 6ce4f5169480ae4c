import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatNotebook, readNotebook } from "../../src/notebook/document.js";
import { type CodeCell, isCode, type Output } from "../../src/notebook/nbformat.js";

/** The real command, with the real kernel, in processes of their own. */
const cli = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kaisetsu-run-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;

interface Run {
  code: number | null;
  stderr: string;
  stdout: string;
  cells: CodeCell[];
  path: string;
}

type Cells = (string | [source: string, ...tags: string[]])[];

async function run(
  cells: Cells,
  args: string[] = [],
  {
    env = {},
    during,
    path = join(folder, `n${made++}.ipynb`),
  }: {
    env?: NodeJS.ProcessEnv;
    during?: (kill: (signal: NodeJS.Signals) => void, stderr: string, path: string) => void;
    path?: string;
  } = {},
): Promise<Run> {
  if (cells.length > 0) writeCells(path, cells);
  const child = spawn(process.execPath, [cli, "run", path, ...args], { cwd: folder, env: { ...process.env, ...env } });
  let stderr = "";
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
    during?.((signal) => child.kill(signal), stderr, path);
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stderr, stdout, path, cells: readNotebook(path).cells.filter(isCode) };
}

function writeCells(path: string, cells: Cells): void {
  writeFileSync(
    path,
    formatNotebook({
      nbformat: 4,
      nbformat_minor: 4,
      metadata: { custom: { kept: true } },
      cells: cells.map((cell) => {
        const [source, ...tags] = typeof cell === "string" ? [cell] : cell;
        return {
          cell_type: "code",
          metadata: tags.length ? { tags } : {},
          source: source!,
          execution_count: null,
          outputs: [],
        };
      }),
    }),
  );
}

const textOf = (output: Output | undefined) =>
  output === undefined
    ? ""
    : output.output_type === "stream"
      ? output.text
      : "data" in output
        ? String(output.data["text/plain"])
        : output.evalue;

test("a notebook runs top to bottom, with parameters, and is saved with outputs, times and a page", async () => {
  const html = join(folder, "page.html");
  const log = join(folder, "log.jsonl");
  const { code, stderr, stdout, cells, path } = await run(
    [
      ["const word = 'default'; const times = 1;", "parameters"],
      "console.log(word.repeat(times)); console.error('!');",
      ["throw new Error('skipped?')", "skip-execution"],
      ["throw new Error('allowed')", "raises-exception"],
      "process.env.KAISETSU_BATCH + ' ' + process.cwd()",
    ],
    ["-p", "word=なぜ？", "-p", "times=2", "--html", html, "--log-output", log],
  );
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "");
  assert.deepEqual(
    cells.map((cell) => cell.outputs.map(textOf)),
    [[], [], ["なぜ？なぜ？\n", "!\n"], [], ["allowed"], [`'1 ${folder}'`]],
  );
  assert.deepEqual(
    cells.map((cell) => cell.execution_count),
    [1, 2, 3, null, 4, 5],
  );
  assert.deepEqual(cells[1]!.metadata.tags, ["injected-parameters"]);
  assert.ok(Date.parse((cells[2]!.metadata.execution as Record<string, string>)["shell.execute_reply"]!) > 0);
  const notebook = readNotebook(path);
  assert.equal(notebook.nbformat_minor, 5);
  assert.deepEqual(notebook.metadata.custom, { kept: true });
  assert.match(stderr, /\[3\/6\] .*console\.log[\s\S]*\[3\] │ なぜ？なぜ？\n[\s\S]*\[3\] ! !\n/);
  assert.ok(stderr.includes(path) && stderr.includes(html), "says where the results are");
  assert.match(readFileSync(html, "utf8"), /なぜ？なぜ？/);
  const logged = readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual([logged[0].stream_name, logged[0].data], ["stdout", "なぜ？なぜ？\n"]);
});

test("the first failing cell ends the run with exit code 1, and what ran is kept", async () => {
  const { code, stderr, cells } = await run(
    ["console.log('before')", "const x = 1;\nthrow new RangeError('learning rate');", "console.log('after')"],
    ["--quiet"],
  );
  assert.equal(code, 1);
  assert.equal(textOf(cells[0]!.outputs[0]), "before\n");
  assert.equal((cells[1]!.outputs[0] as { ename: string }).ename, "RangeError");
  assert.deepEqual(cells[2]!.outputs, []);
  assert.match(stderr, /learning rate/);
  assert.doesNotMatch(stderr, /before/, "--quiet shows errors only");
});

test("--allow-errors goes on, and --timeout interrupts a cell without losing the kernel's state", async () => {
  const { code, cells, stderr } = await run(
    // The first cell waits for the compiler to start; on a busy machine that alone may take the three seconds.
    [
      "0",
      "const kept = 42;",
      "throw new Error('one')",
      "await new Promise(() => {})",
      "for (;;) {}",
      "console.log(kept)",
    ],
    ["--allow-errors", "--timeout", "3"],
  );
  assert.equal(textOf(cells[5]!.outputs[0]), "42\n", stderr);
  assert.equal(code, 0);
  const last = cells.map((cell) => textOf(cell.outputs.at(-1)));
  assert.match(last[3]!, /longer than 3 s/);
  assert.match(last[4]!, /longer than 3 s/);
  assert.match(stderr, /[34] cell\(s\) failed and were allowed to/);
});

test("a timeout has an exit code of its own", async () => {
  const { code, cells } = await run(["await new Promise(() => {})", "1"], ["--timeout", "1"]);
  assert.equal(code, 124);
  assert.equal((cells[0]!.outputs.at(-1) as { ename: string }).ename, "CellTimeoutError");
});

test("Ctrl-C interrupts the cell, saves what exists and leaves no kernel behind", async () => {
  let sent = false;
  const { code, cells, stderr } = await run(
    ["console.log('pid', process.pid)", "console.log('running'); for (;;) {}"],
    [],
    {
      during(kill, text) {
        if (sent || !text.includes("running\n")) return;
        sent = true;
        kill("SIGINT");
      },
    },
  );
  assert.equal(code, 130, stderr);
  assert.equal((cells[1]!.outputs.at(-1) as { ename: string }).ename, "KeyboardInterrupt");
  const pid = Number(/pid (\d+)/.exec(textOf(cells[0]!.outputs[0]))![1]);
  assert.throws(() => process.kill(pid, 0), /ESRCH/);
});

test("a failed run says so in the notebook, and --resume goes on from there in the kernel that was kept", async () => {
  const allowed = join(folder, "allowed");
  const html = join(folder, "live.html");
  const parameters = join(folder, "parameters.yaml");
  writeFileSync(parameters, "# YAML\nword: '007'\nlist: [1, 2]\n");
  const first = await run(
    [
      ["const word = 'x', list = [0]", "parameters"],
      "let runs = 0; console.log(++runs, word, list.length)",
      ["console.log('once', process.hrtime.bigint())", "run-once"],
      `if (!require('fs').existsSync(${JSON.stringify(allowed)})) throw new RangeError('not \`yet\`'); runs++`,
      "console.log('last', runs)",
    ],
    ["-f", parameters, "--html", html, "--keep-kernel"],
    { env: { JUPYTER_RUNTIME_DIR: join(folder, "runtime") } },
  );
  assert.equal(first.code, 1, first.stderr);
  const [notice, , , , , anchor] = readNotebook(first.path).cells;
  assert.match(notice!.source, /\(#kaisetsu-failed-cell\)[\s\S]*RangeError: not `yet`/);
  assert.match(anchor!.source, /<a id="kaisetsu-failed-cell">/);
  assert.equal((first.cells[4]!.outputs[0] as { ename: string }).ename, "RangeError");
  assert.match(readFileSync(html, "utf8"), /この実行は途中で止まりました/);

  writeFileSync(allowed, "");
  const second = await run([], ["--resume", "--html", html], { path: first.path });
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, /code cell 5 in the kernel that was kept/);
  const once = textOf(first.cells[3]!.outputs[0]);
  assert.deepEqual(
    second.cells.map((cell) => cell.outputs.map(textOf)),
    [[], [], ["1 007 2\n"], [once], ["1"], ["last 2\n"]],
  );
  assert.doesNotMatch(readFileSync(html, "utf8"), /途中で止まりました|http-equiv="refresh"/);
  const third = await run([], ["--resume"], { path: first.path });
  assert.match(third.stderr, /nothing to resume/);

  // A changed cell, and no kernel to go on in: what stands before it runs again for its variables.
  const notebook = readNotebook(first.path);
  notebook.cells[4]!.source = "runs += 100";
  writeFileSync(first.path, formatNotebook(notebook));
  const last = await run([], ["--resume", "-q"], { path: first.path });
  assert.equal(last.code, 0, last.stderr);
  assert.deepEqual(
    last.cells.slice(3).map((cell) => textOf(cell.outputs[0])),
    [once, "101", "last 101\n"],
  );
});

test("Ctrl-C lets a training finish its step and save; a second one stops at once, with what there is", async () => {
  const training = `
    let stop = false;
    (globalThis as any)[Symbol.for("kaisetsu.host")].onInterrupt(() => { stop = true; });
    console.log("training", process.pid);
    while (!stop) await new Promise((done) => setTimeout(done, 20));
    console.log("asked");
    await new Promise((done) => setTimeout(done, DELAY));
    console.log("saved");`;
  let sent = false;
  const once = await run([training.replace("DELAY", "1500"), "'never'"], [], {
    during(kill, text) {
      if (sent || !/│ training/.test(text)) return;
      sent = true;
      kill("SIGTERM");
    },
  });
  assert.equal(once.code, 143, once.stderr);
  assert.match(textOf(once.cells[0]!.outputs[0]), /asked\nsaved\n/);
  assert.deepEqual(once.cells[1]!.outputs, []);
  assert.match(once.stderr, /it has 60 s to finish its step and save/);

  let signals = 0;
  const twice = await run([training.replace("DELAY", "60_000")], [], {
    during(kill, text) {
      if ((signals === 0 && /│ training/.test(text)) || (signals === 1 && /│ asked/.test(text))) {
        signals++;
        kill("SIGINT");
      }
    },
  });
  assert.equal(twice.code, 130, twice.stderr);
  const output = twice.cells.map((cell) => cell.outputs?.map(textOf).join("")).join("");
  assert.match(output, /asked\n/);
  await ended(Number(/training (\d+)/.exec(output)![1]));
});

test("a kernel that dies, and one that runs out of memory, have exit codes of their own", async () => {
  const dead = await run([
    "console.log('alive')",
    "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})",
    "1",
  ]);
  assert.equal(dead.code, 138, dead.stderr);
  assert.equal(textOf(dead.cells[0]!.outputs[0]), "alive\n");
  assert.equal((dead.cells[1]!.outputs.at(-1) as { ename: string }).ename, "DeadKernelError");

  const full = await run(
    [
      // 80 kB each; slowly where the warning is due, or the kernel dies before it can be said
      "const hoard = []; for (let n = 0; ; n++) { hoard.push(new Array(10000).fill(n + 0.5)); if (n > 1350 && n < 1550) await new Promise((done) => setTimeout(done, 2)) }",
    ],
    [],
    {
      env: { NODE_OPTIONS: "--max-old-space-size=150" },
    },
  );
  assert.equal(full.code, 137, full.stderr);
  assert.match(full.stderr, /out of memory/);
  assert.match(textOf(full.cells[0]!.outputs[0]), /values in memory take \d+ of the 150 MB/);
});

test("wrong use is told before any kernel starts", async () => {
  const refused = await run([["const n = 1", "parameters"]], ["-p", "n=many"]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /"n" is a number/);
  const unknown = await run([["const n = 1", "parameters"]], ["-p", "m"]);
  assert.equal(unknown.code, 2);
});

/** A process whose parent is gone may stay as a zombie where nobody collects it. */
async function ended(pid: number): Promise<void> {
  const isAlive = () => {
    try {
      process.kill(pid, 0);
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return false;
    }
  };
  for (let i = 0; i < 100 && isAlive(); i++) await new Promise((done) => setTimeout(done, 20));
  assert.equal(isAlive(), false, `process ${pid} lives on`);
}

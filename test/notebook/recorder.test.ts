import assert from "node:assert/strict";
import { test } from "node:test";
import type { CodeCell } from "../../src/notebook/nbformat.js";
import { outputRecorder } from "../../src/notebook/run/recorder.js";

function setUp() {
  const recorder = outputRecorder();
  const cells = ["one", "two"].map(
    (source): CodeCell => ({
      cell_type: "code",
      source,
      metadata: {},
      execution_count: 9,
      outputs: [{ output_type: "stream", name: "stdout", text: "old" }],
    }),
  );
  for (const [i, cell] of cells.entries()) recorder.start(`m${i}`, cell);
  const send = (cell: number, msg_type: string, content: Record<string, unknown>) =>
    recorder.record({ header: { msg_type }, parent_header: { msg_id: `m${cell}` }, content });
  return { cells: cells as [CodeCell, CodeCell], send };
}

const stream = (text: string, name = "stdout") => ({ name, text });
const display = (text: string, id?: string) => ({
  data: { "text/plain": text },
  metadata: {},
  transient: id ? { display_id: id } : {},
});

test("a cell starts without its old outputs, and streams join until the other one speaks", () => {
  const { cells, send } = setUp();
  assert.deepEqual(cells[0].outputs, []);
  assert.equal(cells[0].execution_count, null);
  send(0, "execute_input", { execution_count: 4 });
  for (const text of ["a", "b\n"]) send(0, "stream", stream(text));
  send(0, "stream", stream("e", "stderr"));
  send(0, "stream", stream("c"));
  assert.equal(cells[0].execution_count, 4);
  assert.deepEqual(cells[0].outputs, [
    { output_type: "stream", name: "stdout", text: "ab\n" },
    { output_type: "stream", name: "stderr", text: "e" },
    { output_type: "stream", name: "stdout", text: "c" },
  ]);
});

test("carriage returns and backspaces leave what a terminal would show", () => {
  const { cells, send } = setUp();
  for (const text of ["head\r\n", " 1%", "\r 50%\r", "100%", "\nabc\b\bX\n", "wait\r"]) send(0, "stream", stream(text));
  send(0, "stream", stream("done"));
  assert.equal((cells[0].outputs[0] as { text: string }).text, "head\n100%\naX\ndone");
});

test("late output goes to the cell that caused it", () => {
  const { cells, send } = setUp();
  send(1, "stream", stream("second"));
  send(0, "stream", stream("late"));
  assert.equal((cells[0].outputs[0] as { text: string }).text, "late");
  assert.equal((cells[1].outputs[0] as { text: string }).text, "second");
});

test("an update changes every place where the display stands, in earlier cells too", () => {
  const { cells, send } = setUp();
  send(0, "display_data", display("1", "bar"));
  send(1, "display_data", display("1", "bar"));
  send(1, "display_data", display("other"));
  send(1, "update_display_data", display("2", "bar"));
  const texts = cells.map(({ outputs }) =>
    outputs.map((output) => (output as { data: Record<string, unknown> }).data["text/plain"]),
  );
  assert.deepEqual(texts, [["2"], ["2", "other"]]);
  assert.doesNotMatch(JSON.stringify(cells), /transient|display_id/);
});

test("clear_output clears at once, or with the next output when told to wait", () => {
  const { cells, send } = setUp();
  send(0, "stream", stream("a"));
  send(0, "clear_output", { wait: true });
  assert.equal(cells[0].outputs.length, 1);
  send(0, "display_data", display("b"));
  assert.deepEqual(
    cells[0].outputs.map(({ output_type }) => output_type),
    ["display_data"],
  );
  send(0, "clear_output", { wait: false });
  assert.deepEqual(cells[0].outputs, []);
});

/** Runs the page's cells in the order in which they were asked for. */
import type { LiveApp, LiveBoot } from "../manifest.js";
import type { FromWorker } from "../messages.js";
import { fill } from "../words.js";
import { CellView } from "./cell.js";
import { createDock } from "./dock.js";
import { questionForm } from "./questions.js";
import { outputRenderer } from "./render.js";
import { Session } from "./session.js";

/** How long a cell that was asked to stop may go on, in ms: one that has said nothing, one that is about to end. */
const grace = { silent: 800, ending: 3000 };

export function startApp(boot: LiveBoot): LiveApp {
  const { manifest } = boot;
  const { words } = manifest;
  const render = outputRenderer(manifest.ui);
  const session = new Session(boot, receive);
  const cells = manifest.cells.map((cell, i) => new CellView({ cell, words, render, run: () => run(i) }));
  const dock = createDock(words, { stop, runAll, restart });
  let queue: { cell: number; anyway: boolean }[] = [];
  let running: { cell: number; anyway: boolean } | undefined;
  let succeeded = new Set<number>();
  let runs = 0;
  let total = 0;
  let ended: ReturnType<typeof setTimeout> | undefined;

  return { run: (cell) => run(cell), runAll, edit: (cell) => cells[cell]?.edit() };

  function run(cell: number, anyway = false): void {
    if (running?.cell === cell || queue.some((waiting) => waiting.cell === cell)) return;
    enqueue([{ cell, anyway }]);
  }

  function runAll(): void {
    if (running) return;
    enqueue(cells.map((_, cell) => ({ cell, anyway: true })));
  }

  function runAbove(cell: number): void {
    const above = cells.map((_, i) => i).filter((i) => i < cell && !succeeded.has(i));
    enqueue([...above, cell].map((i) => ({ cell: i, anyway: true })));
  }

  function enqueue(wanted: typeof queue): void {
    if (!running && queue.length === 0) total = 0;
    total += wanted.length;
    queue.push(...wanted);
    for (const { cell } of wanted) {
      cells[cell]!.begin();
      cells[cell]!.setState("waiting");
    }
    void next();
  }

  async function next(): Promise<void> {
    if (running) return;
    const current = queue.shift();
    if (!current) return dock.idle(words.ready);
    running = current;
    const view = cells[current.cell]!;
    view.setState("loading");
    dock.busy(() => status(words.loading));
    try {
      await session.ready();
    } catch (error) {
      return crashed(String(error));
    }
    if (running !== current) return;
    view.setState("running");
    dock.busy(() => `${status(words.running)} · ${view.elapsed()}`);
    session.send({
      type: "run",
      cell: String(current.cell),
      label: view.name,
      code: view.source,
      anyway: current.anyway,
    });
  }

  function status(word: string): string {
    const name = running ? cells[running.cell]!.name : "";
    const progress = total > 1 ? ` · ${fill(words.progress, { done: total - queue.length - 1, total })}` : "";
    return `${word}: ${name}${progress}`;
  }

  function receive(message: FromWorker): void {
    if (message.type === "ask") {
      const form = questionForm(message, words, (value) =>
        session.send({ type: "answer", question: message.question, value }),
      );
      if (running) cells[running.cell]!.addElement(form);
      return;
    }
    if (message.type === "ending" && running && cells[running.cell]!.state === "stopping") {
      clearTimeout(ended);
      ended = setTimeout(cutOff, grace.ending);
    }
    if (!("cell" in message)) return;
    const view = cells[Number(message.cell)];
    if (!view) return;
    if (message.type === "missing") offerAbove(Number(message.cell), message.names);
    else if (message.type === "done") finished(Number(message.cell), message);
    else view.add(message);
  }

  function finished(cell: number, { error }: FromWorker & { type: "done" }): void {
    const view = cells[cell]!;
    clearTimeout(ended);
    const stopping = view.state === "stopping";
    if (error) {
      view.fail(error);
      if (stopping) view.setState("stopped");
      drop();
    } else {
      view.succeed(String(++runs));
      succeeded.add(cell);
      if (stopping) view.setState("stopped");
    }
    dock.say(`${view.name}: ${words[view.state === "idle" ? "done" : view.state]}`);
    running = undefined;
    void next();
  }

  /** A cell that needs others is not run; one that nothing can help is, to show its error. */
  function offerAbove(cell: number, names: string[]): void {
    const view = cells[cell]!;
    running = undefined;
    const list = names.join(manifest.ui === "ja" ? "、" : ", ");
    const isAbove = cells.some((other, i) => i < cell && !succeeded.has(i) && names.some(mentionedIn(other.source)));
    if (!isAbove) {
      queue.unshift({ cell, anyway: true });
      void next();
      return;
    }
    view.setState("idle");
    const offer = document.createElement("p");
    offer.className = "live-offer";
    offer.append(`${fill(words.missing, { names: list })} `);
    const add = (text: string, act: () => void) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
      button.addEventListener("click", act);
      offer.append(button, " ");
      return button;
    };
    const first = add(words.runAbove, () => runAbove(cell));
    add(words.runAnyway, () => run(cell, true));
    view.setOffer(offer);
    first.focus();
    dock.say(offer.textContent ?? "");
    void next();
  }

  /** First asks the cell to end in good order, as a training run can; a second press does not wait for that. */
  function stop(): void {
    drop();
    if (!running) return;
    const { cell } = running;
    const view = cells[cell]!;
    if (view.state === "stopping") {
      void cutOff();
      return;
    }
    if (view.state === "loading") {
      running = undefined;
      view.setState("stopped");
      dock.idle(words.stopped);
      return;
    }
    view.setState("stopping");
    dock.busy(() => `${status(words.stopping)} · ${view.elapsed()}`);
    session.send({ type: "interrupt" });
    ended = setTimeout(cutOff, grace.silent);
  }

  async function cutOff(): Promise<void> {
    clearTimeout(ended);
    await session.end();
    if (!running) return;
    const view = cells[running.cell]!;
    running = undefined;
    succeeded = new Set();
    view.setState("stopped");
    view.addElement(note(words.cleared));
    dock.idle(words.stopped);
  }

  function drop(): void {
    for (const { cell } of queue) cells[cell]!.setState("idle");
    queue = [];
  }

  async function restart(): Promise<void> {
    clearTimeout(ended);
    drop();
    running = undefined;
    succeeded = new Set();
    runs = 0;
    for (const view of cells) view.restore();
    await session.end();
    dock.idle(words.ready);
  }

  function crashed(message: string): void {
    if (running) {
      cells[running.cell]!.fail({ name: "Error", message: fill(words.crashed, { message }), traceback: "" });
    }
    running = undefined;
    drop();
    dock.idle(words.failed);
  }
}

function mentionedIn(source: string): (name: string) => boolean {
  const words = new Set(source.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu));
  return (name) => words.has(name);
}

function note(text: string): HTMLElement {
  return Object.assign(document.createElement("p"), { className: "note", textContent: text });
}

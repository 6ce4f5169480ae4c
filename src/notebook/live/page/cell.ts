/** One code cell in the page: its code, its buttons, what it says of its state, its outputs. */

import type { Output } from "../../nbformat.js";
import type { LiveCell } from "../manifest.js";
import type { CellError, FromWorker } from "../messages.js";
import { fill, type LiveWords } from "../words.js";
import { createEditor, type Editor } from "./editor.js";
import { RunOutputs } from "./outputs.js";

export type CellState = "idle" | "loading" | "waiting" | "running" | "stopping" | "done" | "failed" | "stopped";

export interface CellOptions {
  cell: LiveCell;
  words: LiveWords;
  render: (output: Output) => DocumentFragment;
  run(): void;
}

export class CellView {
  source: string;
  state: CellState = "idle";
  private readonly section: HTMLElement | null;
  private readonly status = document.createElement("span");
  private readonly tools: HTMLElement | null;
  private readonly saved: HTMLElement | null;
  private readonly savedPrompt: string;
  private outputs: RunOutputs | undefined;
  private region: HTMLElement | undefined;
  private editor: Editor | undefined;
  private offer: HTMLElement | undefined;
  private toggle: HTMLButtonElement | undefined;
  private started = 0;

  constructor(private readonly options: CellOptions) {
    const { element, source } = options.cell;
    this.source = source;
    this.section = element === undefined ? null : document.getElementById(element);
    this.tools = this.section?.querySelector(".live-tools") ?? null;
    this.saved = this.section?.querySelector<HTMLElement>(".outputs") ?? null;
    this.savedPrompt = this.section?.querySelector(".prompt")?.textContent ?? "";
    this.status.className = "live-status";
    this.tools?.append(this.status);
  }

  get name(): string {
    return this.options.cell.name;
  }

  get isEdited(): boolean {
    return this.source !== this.options.cell.source;
  }

  setState(state: CellState): void {
    this.state = state;
    const { words } = this.options;
    if (state === "running") this.started = performance.now();
    if (this.section) this.section.dataset.live = state;
    const text = state === "idle" ? "" : words[state];
    const time = state === "done" || state === "failed" || state === "stopped" ? ` ${this.elapsed()}` : "";
    this.status.textContent = text + time;
  }

  elapsed(): string {
    const seconds = (performance.now() - this.started) / 1000;
    return fill(this.options.words.seconds, { n: seconds < 10 ? seconds.toFixed(1) : Math.round(seconds) });
  }

  /** A run begins: its output appears below the saved one, which stays until the run has succeeded. */
  begin(): void {
    this.setOffer(undefined);
    this.region?.remove();
    this.toggle?.remove();
    this.toggle = undefined;
    if (this.saved) this.saved.hidden = false;
    this.outputs = undefined;
    this.region = undefined;
  }

  add(message: FromWorker & { type: "stream" | "display" | "clear" }): void {
    this.needOutputs().add(message);
  }

  addElement(element: HTMLElement): void {
    this.needOutputs().element.append(element);
  }

  succeed(label: string): void {
    this.setState("done");
    const prompt = this.section?.querySelector(".prompt");
    if (prompt) prompt.textContent = label;
    if (!this.saved) return;
    this.saved.hidden = true;
    this.addToggle(this.saved);
  }

  fail({ name, message, traceback, line }: CellError): void {
    this.setState("failed");
    this.needOutputs().addError(name, message, traceback);
    this.markLine(line);
  }

  edit(): void {
    if (!this.editor) this.openEditor();
    this.editor?.focus();
  }

  restore(): void {
    this.begin();
    this.setState("idle");
    const prompt = this.section?.querySelector(".prompt");
    if (prompt) prompt.textContent = this.savedPrompt;
  }

  setOffer(offer: HTMLElement | undefined): void {
    this.offer?.remove();
    this.offer = offer;
    if (offer) this.tools?.after(offer);
  }

  scrollIntoView(): void {
    const place = this.region ?? this.tools;
    if (!place) return;
    const { top, bottom } = place.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) place.scrollIntoView({ block: "center" });
  }

  private needOutputs(): RunOutputs {
    if (this.outputs) return this.outputs;
    const { words, render } = this.options;
    this.outputs = new RunOutputs(render, words.cut);
    this.region = this.outputs.element;
    this.region.className = "outputs live-outputs";
    this.region.setAttribute("role", "group");
    this.region.setAttribute("aria-label", fill(words.outputOf, { cell: this.name }));
    this.section?.append(this.region);
    return this.outputs;
  }

  /** Between the saved output and that of the run. */
  private addToggle(saved: HTMLElement): void {
    const { words } = this.options;
    const toggle = document.createElement("button");
    toggle.type = "button";
    toggle.className = "live-saved";
    const update = () => {
      toggle.textContent = saved.hidden ? words.saved : words.live;
      if (this.region) this.region.hidden = !saved.hidden;
    };
    toggle.addEventListener("click", () => {
      saved.hidden = !saved.hidden;
      update();
    });
    update();
    this.toggle = toggle;
    this.tools?.append(toggle);
  }

  private openEditor(): void {
    const input = this.section?.querySelector<HTMLElement>(".input");
    const block = input?.querySelector<HTMLElement>(".code-frame, pre.code");
    if (!block) return;
    const { words, cell, run } = this.options;
    for (let at: HTMLElement | null = block; at && at !== this.section; at = at.parentElement) {
      if (at instanceof HTMLDetailsElement) at.open = true;
      at.classList.remove("folded");
    }
    const revert = document.createElement("button");
    revert.type = "button";
    revert.className = "live-revert";
    revert.textContent = words.revert;
    revert.hidden = true;
    revert.addEventListener("click", () => {
      this.source = cell.source;
      this.editor?.element.replaceWith(block);
      this.editor = undefined;
      revert.remove();
    });
    this.editor = createEditor({
      source: this.source,
      label: fill(words.codeOf, { cell: this.name }),
      hint: words.editorHint,
      onRun: run,
      onChange: (source) => {
        this.source = source;
        revert.hidden = !this.isEdited;
      },
    });
    block.replaceWith(this.editor.element);
    this.tools?.querySelector(".live-edit")?.after(revert);
  }

  private markLine(line: number | undefined): void {
    for (const marked of this.section?.querySelectorAll(".live-wrong") ?? []) marked.classList.remove("live-wrong");
    if (line !== undefined) this.section?.querySelectorAll(".l")[line - 1]?.classList.add("live-wrong");
  }
}

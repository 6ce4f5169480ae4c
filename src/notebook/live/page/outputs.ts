/** Outputs of one run of a cell, as they come. */

import type { Output } from "../../nbformat.js";
import type { FromWorker } from "../messages.js";

/** More text than this, in characters, helps nobody and would freeze the page. */
const mostText = 500_000;
const mostOutputs = 2_000;

type Shown = FromWorker & { type: "stream" | "display" | "clear" };

interface Item {
  output: Output;
  display_id?: string;
  element: HTMLElement;
  changed: boolean;
}

export class RunOutputs {
  readonly element = document.createElement("div");
  private items: Item[] = [];
  private text = 0;
  private clearNext = false;
  private queued = false;
  private cut: HTMLElement | undefined;

  constructor(
    private readonly render: (output: Output) => DocumentFragment,
    private readonly cutNote: string,
  ) {}

  add(message: Shown): void {
    if (message.type === "clear") {
      this.clearNext = true;
      if (!message.wait) this.clear();
      return;
    }
    if (this.clearNext) this.clear();
    if (message.type === "stream") this.addText(message.name, message.text);
    else this.addDisplay(message);
    if (!this.queued) requestAnimationFrame(() => this.paint());
    this.queued = true;
  }

  addError(ename: string, evalue: string, traceback: string): void {
    const lines = [`${ename}: ${evalue}`, ...(traceback === "" ? [] : [traceback])];
    this.append({ output_type: "error", ename, evalue, traceback: lines });
    this.paint();
  }

  get isEmpty(): boolean {
    return this.items.length === 0;
  }

  private addText(name: "stdout" | "stderr", text: string): void {
    if (this.text >= mostText) {
      this.showCut();
      return;
    }
    this.text += text.length;
    const last = this.items.at(-1);
    if (last?.output.output_type === "stream" && last.output.name === name) {
      last.output.text = withReturns(last.output.text + text);
      last.changed = true;
    } else this.append({ output_type: "stream", name, text: withReturns(text) });
  }

  private addDisplay({ data, display_id, update }: FromWorker & { type: "display" }): void {
    const output: Output = { output_type: "display_data", data, metadata: {} } as Output;
    const known = display_id === undefined ? [] : this.items.filter((item) => item.display_id === display_id);
    for (const item of known) Object.assign(item, { output, changed: true });
    if (known.length === 0 || !update) this.append(output, display_id);
  }

  private append(output: Output, display_id?: string): void {
    if (this.items.length >= mostOutputs) {
      this.showCut();
      return;
    }
    const element = document.createElement("div");
    this.items.push({ output, display_id, element, changed: true });
    this.element.append(element);
  }

  private showCut(): void {
    if (this.cut) return;
    this.cut = Object.assign(document.createElement("p"), { className: "note", textContent: this.cutNote });
    this.element.append(this.cut);
  }

  private paint(): void {
    this.queued = false;
    for (const item of this.items) {
      if (!item.changed) continue;
      item.changed = false;
      // A table that the reader opened in a chart stays open when the chart is drawn anew.
      const open = [...item.element.querySelectorAll("details")].map((details) => details.open);
      item.element.replaceChildren(this.render(item.output));
      item.element.querySelectorAll("details").forEach((details, i) => {
        details.open = open[i] ?? details.open;
      });
    }
  }

  private clear(): void {
    this.items = [];
    this.text = 0;
    this.clearNext = false;
    this.cut = undefined;
    this.element.replaceChildren();
  }
}

/** A carriage return goes back to the beginning of its line, as on a terminal. */
function withReturns(text: string): string {
  return text.includes("\r") ? text.replace(/^.*\r(?!\n)/gm, "") : text;
}

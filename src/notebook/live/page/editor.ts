/** A text field over its own text in colours: what the browser gives (caret, undo, input of Japanese) stays as it is. */
import { highlight, splitHighlighted } from "../../../explain/highlight.js";

export interface Editor {
  element: HTMLElement;
  focus(): void;
}

export interface EditorOptions {
  source: string;
  label: string;
  hint: string;
  onChange(source: string): void;
  onRun(): void;
}

let hints = 0;

export function createEditor({ source, label, hint, onChange, onRun }: EditorOptions): Editor {
  const element = document.createElement("div");
  element.className = "live-editor";
  const pre = document.createElement("pre");
  pre.className = "code";
  pre.setAttribute("aria-hidden", "true");
  const code = document.createElement("code");
  code.translate = false;
  pre.append(code);
  const field = document.createElement("textarea");
  field.value = source;
  field.spellcheck = false;
  field.setAttribute("autocapitalize", "off");
  field.setAttribute("autocomplete", "off");
  field.setAttribute("aria-label", label);
  const help = document.createElement("p");
  help.className = "live-hint";
  help.id = `kaisetsu-live-hint-${++hints}`;
  help.textContent = hint;
  field.setAttribute("aria-describedby", help.id);
  const frame = document.createElement("div");
  frame.className = "live-frame";
  frame.append(pre, field);
  element.append(frame, help);

  const paint = () => {
    const lines = splitHighlighted(highlight(field.value, "typescript"));
    code.innerHTML = lines.map((line) => `<span class="l">${line}</span>`).join("\n");
  };
  paint();
  field.addEventListener("input", () => {
    paint();
    onChange(field.value);
  });
  field.addEventListener("keydown", keys(field, onRun));
  return { element, focus: () => field.focus() };
}

/** After Esc, Tab leaves the field, so that nobody is caught in it. */
function keys(field: HTMLTextAreaElement, onRun: () => void): (event: KeyboardEvent) => void {
  let tabLeaves = false;
  return (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      onRun();
    } else if (event.key === "Escape") {
      tabLeaves = true;
    } else if (event.key === "Tab" && !tabLeaves && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      if (event.shiftKey) outdent(field);
      else insert(field, "  ");
    } else if (event.key === "Enter" && !event.altKey) {
      const line = field.value.slice(0, field.selectionStart).split("\n").at(-1)!;
      const indent = /^\s*/.exec(line)![0];
      event.preventDefault();
      insert(field, `\n${indent}${/[{([]\s*$/.test(line) ? "  " : ""}`);
    } else if (event.key !== "Tab" && event.key !== "Shift") tabLeaves = false;
  };
}

/** By the one command that keeps the browser's undo. */
function insert(field: HTMLTextAreaElement, text: string): void {
  if (document.execCommand("insertText", false, text)) return;
  field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input"));
}

function outdent(field: HTMLTextAreaElement): void {
  const start = field.value.lastIndexOf("\n", field.selectionStart - 1) + 1;
  const width = /^ {0,2}/.exec(field.value.slice(start))![0].length;
  if (width === 0) return;
  const caret = field.selectionStart;
  field.setSelectionRange(start, start + width);
  if (!document.execCommand("delete")) field.setRangeText("", start, start + width);
  field.setSelectionRange(Math.max(start, caret - width), Math.max(start, caret - width));
  field.dispatchEvent(new Event("input"));
}

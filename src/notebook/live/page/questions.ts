/** `prompt`, `confirm` and `alert` of a cell, as a form in its output. */
import type { FromWorker } from "../messages.js";
import type { LiveWords } from "../words.js";

type Question = FromWorker & { type: "ask" };

export function questionForm(
  { kind, message, initial }: Question,
  words: LiveWords,
  answered: (value: string | boolean | null) => void,
): HTMLFormElement {
  const form = document.createElement("form");
  form.className = "live-question";
  const label = document.createElement("label");
  const text = document.createElement("span");
  text.textContent = message || words.question;
  label.append(text);
  form.append(label);
  const finish = (value: string | boolean | null) => {
    for (const control of form.querySelectorAll("input, button")) control.remove();
    if (typeof value === "string")
      label.append(Object.assign(document.createElement("strong"), { textContent: value }));
    answered(value);
  };
  const add = (text: string, value?: string | boolean | null) => {
    const button = document.createElement("button");
    button.textContent = text;
    if (value === undefined) button.type = "submit";
    else {
      button.type = "button";
      button.addEventListener("click", () => finish(value));
    }
    form.append(button);
    return button;
  };
  let first: HTMLElement;
  let submitted: () => string | boolean | null;
  if (kind === "prompt") {
    const field = Object.assign(document.createElement("input"), { value: initial, autocomplete: "off" });
    label.append(field);
    submitted = () => field.value;
    first = field;
    add(words.answer);
    add(words.cancel, null);
  } else if (kind === "confirm") {
    submitted = () => true;
    first = add(words.yes);
    add(words.no, false);
  } else {
    submitted = () => null;
    first = add(words.ok);
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    finish(submitted());
  });
  requestAnimationFrame(() => first.focus());
  return form;
}

/** Text that was written for a terminal: colours, and what later writing covered. */
import { AnsiUp } from "ansi_up";
import { escapeHtml } from "../escape.js";
import { withinLimits } from "./limits.js";

/** Escapes everything; colours become classes, so that both themes stay readable; links only to the web. */
export function ansiToHtml(content: string): string {
  if (!content.includes("\u001b")) return escapeHtml(content);
  return withinLimits(
    content.length,
    () => coloured(content),
    () => escapeHtml(content.replace(/\u001b(?:\[[\d;]*[A-Za-z]?)?/g, "")),
  );
}

function coloured(content: string): string {
  const ansi = new AnsiUp();
  ansi.use_classes = true;
  ansi.url_allowlist = { http: 1, https: 1 };
  return ansi.ansi_to_html(content).replace(/<a href=/g, '<a rel="noopener noreferrer" href=');
}

/** What a terminal would still show: progress bars go back to the line's start and write over what stands there. */
export function lastWritten(content: string): string {
  if (!/[\b\r]/.test(content)) return content;
  return content.replace(/\r+\n/g, "\n").split("\n").map(lastOfLine).join("\n");
}

function lastOfLine(line: string): string {
  if (!/[\b\r]/.test(line)) return line;
  const writings = line.split("\r").map(withoutErased).filter(Boolean);
  // Colours have no width, so places cannot be counted where there are some.
  if (line.includes("\u001b")) return writings.at(-1) ?? "";
  let shown = "";
  for (const writing of writings.reverse()) if (writing.length > shown.length) shown += writing.slice(shown.length);
  return shown;
}

/** A backspace moves back, and is always used to write something else there. */
function withoutErased(text: string): string {
  if (!text.includes("\b")) return text;
  const kept: string[] = [];
  for (const character of text) {
    if (character !== "\b") kept.push(character);
    else kept.pop();
  }
  return kept.join("");
}

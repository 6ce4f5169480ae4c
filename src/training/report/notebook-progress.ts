import { chartBundle } from "../../notebook/chart.js";
import { type Display, newDisplay } from "../../notebook/display.js";
import { escapeHtml } from "../../notebook/escape.js";
import type { TrainingArguments } from "../arguments/arguments.js";
import type { CallbackContext, TrainerCallback } from "../callbacks.js";
import type { LogEntry, TrainerControl, TrainerState } from "../state.js";
import { formatDuration } from "./duration.js";

/** Milliseconds between two updates, so that a fast run does not flood the notebook. */
const pause = 500;

/** One live display that updates in place: bar with time left, loss chart, latest figures. */
export class NotebookProgress implements TrainerCallback {
  private view: Display | undefined;
  private started = 0;
  private firstStep = 0;
  private lastShown = 0;
  private activity = "";

  on_train_begin(_: TrainingArguments, state: TrainerState): void {
    this.view = newDisplay();
    this.started = performance.now();
    this.firstStep = state.global_step;
    this.activity = "学習中";
    this.show(state, true);
  }

  on_step_end(_: TrainingArguments, state: TrainerState): void {
    this.activity = "学習中";
    this.show(state);
  }

  on_prediction_step(
    _: TrainingArguments,
    state: TrainerState,
    _control: TrainerControl,
    context: CallbackContext,
  ): void {
    const { done, total } = context.prediction!;
    this.activity = `評価中 ${done}/${total}`;
    this.show(state);
  }

  on_log(_: TrainingArguments, state: TrainerState): void {
    this.show(state);
  }

  on_train_end(_: TrainingArguments, state: TrainerState): void {
    this.activity = "学習終了";
    this.show(state, true);
    this.view = undefined;
  }

  private show(state: TrainerState, force = false): void {
    const now = performance.now();
    if (!this.view || (!force && now - this.lastShown < pause)) return;
    this.lastShown = now;
    const { html, text } = renderProgress(state, {
      activity: this.activity,
      seconds: (now - this.started) / 1000,
      steps: state.global_step - this.firstStep,
    });
    this.view.bundle({ "text/html": html, "text/plain": text });
  }
}

/** The display's content for a state. @param session what this call of `train()` has done so far */
export function renderProgress(
  state: TrainerState,
  session: { activity: string; seconds: number; steps: number },
): { html: string; text: string } {
  const { global_step: step, max_steps: total } = state;
  const left = session.steps > 0 ? formatDuration((session.seconds / session.steps) * (total - step)) : "?";
  const line =
    `${session.activity}：ステップ ${step} / ${total}（エポック ${state.epoch.toFixed(2)}）` +
    `・経過 ${formatDuration(session.seconds)}・残り約 ${left}`;
  const chart = chartBundle({
    title: "損失の推移",
    x_label: "ステップ",
    y_label: "損失",
    series: [
      { name: "学習", points: curve(state.log_history, "loss") },
      { name: "評価", points: curve(state.log_history, "eval_loss") },
    ],
  });
  const figures = latestFigures(state.log_history);
  const html =
    `<div class="kaisetsu-progress" lang="ja"><p>${escapeHtml(line)}</p>` +
    `<progress value="${step}" max="${total}" style="width:100%" aria-label="学習の進み具合">${step} / ${total}</progress>` +
    `${chart["text/html"]}${figureTable(figures)}</div>`;
  const text = [line, ...figures.map(([name, value]) => `${name}: ${value}`)].join("\n");
  return { html, text };
}

function curve(history: LogEntry[], key: string): [number, number][] {
  return history.flatMap((entry) => (entry[key] === undefined ? [] : [[entry.step!, entry[key]] as [number, number]]));
}

/** The latest value of each figure worth showing, in reading order. */
function latestFigures(history: LogEntry[]): [string, string][] {
  const latest: LogEntry = Object.assign({}, ...history);
  const hidden = /^(step|epoch|total_flos|num_input_tokens_seen)$|_runtime$|_per_second$/;
  return Object.entries(latest)
    .filter(([name]) => !hidden.test(name))
    .map(([name, value]) => [name, value === 0 ? "0" : value.toPrecision(4)]);
}

function figureTable(figures: [string, string][]): string {
  if (figures.length === 0) return "";
  const rows = figures.map(([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${value}</td></tr>`);
  return `<table><caption>最新の値</caption><tbody>${rows.join("")}</tbody></table>`;
}

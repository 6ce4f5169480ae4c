/** The strip at the bottom of the window: what runs, since when, and how to stop it. */
import type { LiveWords } from "../words.js";

export interface Dock {
  /** @param status asked again every half second */
  busy(status: () => string): void;
  idle(status: string): void;
  /** For screen readers: only what has changed, not the seconds. */
  say(text: string): void;
}

export function createDock(words: LiveWords, actions: { stop(): void; runAll(): void; restart(): void }): Dock {
  const dock = document.createElement("div");
  dock.className = "live-dock";
  dock.setAttribute("role", "region");
  dock.setAttribute("aria-label", words.runner);
  const visible = document.createElement("span");
  visible.className = "live-now";
  const spoken = document.createElement("span");
  spoken.className = "live-spoken";
  spoken.setAttribute("role", "status");
  const stop = button("live-stop", words.stop, actions.stop);
  const runAll = button("live-again", words.runAll, actions.runAll);
  const restart = button("live-restart", words.restart, actions.restart);
  dock.append(visible, spoken, stop, runAll, restart);
  document.body.append(dock);
  document.documentElement.classList.add("live-docked");
  let timer: ReturnType<typeof setInterval> | undefined;
  const setBusy = (isBusy: boolean) => {
    dock.classList.toggle("busy", isBusy);
    stop.hidden = !isBusy;
    runAll.hidden = isBusy;
    restart.hidden = isBusy;
  };
  setBusy(false);

  return {
    busy(status) {
      clearInterval(timer);
      setBusy(true);
      const update = () => {
        visible.textContent = status();
      };
      update();
      timer = setInterval(update, 500);
    },
    idle(status) {
      clearInterval(timer);
      setBusy(false);
      visible.textContent = status;
    },
    say(text) {
      spoken.textContent = text;
    },
  };
}

function button(kind: string, text: string, act: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  made.addEventListener("click", act);
  return made;
}

/**
 * What the page does when scripts are on. The function goes into the page as text, so it uses nothing from outside
 * itself and no template literal over several lines; what it says comes from `data-` attributes of its elements.
 */
export function client(): void {
  const root = document.documentElement;
  const bar = document.querySelector<HTMLElement>(".bar");
  const main = document.querySelector<HTMLElement>("main");
  if (!bar || !main) return;
  const all = <E extends HTMLElement>(selector: string, from: ParentNode = document) => [
    ...from.querySelectorAll<E>(selector),
  ];
  const button = (name: string) => bar.querySelector<HTMLButtonElement>(`[data-do="${name}"]`);
  const words = bar.dataset;
  bar.hidden = false;
  root.classList.add("scripted");

  const memory = {
    get(key: string): string | null {
      try {
        return localStorage.getItem(`kaisetsu.${key}`);
      } catch {
        return null; // A browser may forbid storage for files.
      }
    },
    set(key: string, value: string) {
      try {
        localStorage.setItem(`kaisetsu.${key}`, value);
      } catch {
        // Then the choice lasts until the page is closed.
      }
    },
  };

  setUpTheme();
  setUpPanels();
  setUpDisplay();
  setUpCopying();
  setUpContents();
  setUpSearch();
  setUpKeys();
  window.addEventListener("hashchange", openTarget);
  openTarget();
  window.addEventListener("beforeprint", () => {
    for (const details of all<HTMLDetailsElement>("main details")) details.open = true;
  });

  /** Automatic, light, dark, and round again. */
  function setUpTheme() {
    const themes = ["auto", "light", "dark"];
    const toggle = button("theme");
    const apply = (theme: string) => {
      root.dataset.theme = theme;
      const label = words[theme] ?? theme;
      toggle?.setAttribute("aria-label", label);
      toggle?.setAttribute("title", label);
    };
    apply(themes.includes(memory.get("theme") ?? "") ? memory.get("theme")! : "auto");
    toggle?.addEventListener("click", () => {
      const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % themes.length]!;
      apply(next);
      memory.set("theme", next);
    });
  }

  function setUpPanels() {
    const panels = all<HTMLDetailsElement>("details.panel");
    const toggle = button("panels");
    if (!toggle) return;
    toggle.hidden = panels.length === 0;
    const update = () => {
      const open = panels.every((panel) => panel.open);
      toggle.textContent = (open ? words.collapse : words.expand) ?? "";
      toggle.setAttribute("aria-pressed", String(open));
    };
    toggle.addEventListener("click", () => {
      const open = !panels.every((panel) => panel.open);
      for (const panel of panels) panel.open = open;
    });
    for (const panel of panels) panel.addEventListener("toggle", update);
    update();
  }

  /** Line numbers, code and outputs on and off. */
  function setUpDisplay() {
    for (const box of all<HTMLInputElement>("input[data-class]", bar!)) {
      const name = box.dataset.class!;
      const stored = memory.get(name);
      if (stored !== null) box.checked = stored === "on";
      const apply = () => root.classList.toggle(name, box.checked !== (box.dataset.inverse === ""));
      box.addEventListener("change", () => {
        apply();
        memory.set(name, box.checked ? "on" : "off");
      });
      apply();
    }
    const menu = bar!.querySelector<HTMLDetailsElement>(".menu");
    document.addEventListener("click", (event) => {
      if (menu?.open && !menu.contains(event.target as Node)) menu.open = false;
    });
    for (const cell of all("main > .cell")) {
      const prompt = cell.querySelector(".prompt");
      const input = cell.querySelector<HTMLElement>(".input");
      const outputs = cell.querySelector<HTMLElement>(".outputs");
      if (prompt && input?.firstElementChild) addFold(cell, input, words.code ?? "");
      if (outputs) addFold(cell, outputs, words.outputs ?? "");
    }
  }

  function addFold(cell: HTMLElement, part: HTMLElement, name: string) {
    const fold = document.createElement("button");
    fold.type = "button";
    fold.className = "folder";
    const update = () => {
      const folded = part.classList.contains("folded");
      fold.setAttribute("aria-expanded", String(!folded));
      const label = `${name} ${cell.querySelector(".prompt")?.textContent ?? ""}`.trim();
      fold.setAttribute("aria-label", label);
      fold.setAttribute("title", `${label} (${folded ? words.show : words.hide})`);
    };
    fold.addEventListener("click", () => {
      part.classList.toggle("folded");
      update();
    });
    update();
    part.before(fold);
  }

  function setUpCopying() {
    for (const block of all("main pre.code")) {
      const copy = document.createElement("button");
      copy.type = "button";
      copy.className = "copy";
      // As a label, not as text: the button is no part of what a search or a selection finds.
      const say = (label: string | undefined) => copy.setAttribute("aria-label", label ?? "");
      say(words.copy);
      copy.addEventListener("click", async () => {
        const done = await copyText(block.querySelector("code")?.textContent ?? "");
        say(done ? words.copied : words.failed);
        setTimeout(say, 1600, words.copy);
      });
      const frame = document.createElement("div");
      frame.className = "code-frame";
      block.replaceWith(frame);
      frame.append(block, copy);
    }
    for (const target of all("main :is(h2,h3,h4)[id], main details.panel[id]")) {
      const link = document.createElement("a");
      link.className = "anchor";
      link.href = `#${target.id}`;
      link.setAttribute("aria-label", words.link ?? "");
      const body = target.querySelector(".panel-body");
      if (body) body.prepend(link);
      else target.append(link);
    }
  }

  async function copyText(text: string): Promise<boolean> {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Pages opened as files may have no clipboard; the old way still works there.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  /** A closed panel would swallow what a link points to. */
  function openTarget() {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id === "" ? null : document.getElementById(id);
    if (!target) return;
    reveal(target);
    target.scrollIntoView();
  }

  function reveal(element: Element) {
    for (let at: Element | null = element; at; at = at.parentElement) {
      if (at instanceof HTMLDetailsElement) at.open = true;
      at.classList.remove("folded");
    }
  }

  function setUpContents() {
    const links = all<HTMLAnchorElement>(".toc a");
    const contents = document.querySelector<HTMLDetailsElement>(".toc details");
    const wide = matchMedia("(min-width: 70rem)");
    const adapt = () => {
      if (contents) contents.open = wide.matches;
    };
    wide.addEventListener("change", adapt);
    adapt();
    const targets = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
    let queued = false;
    const mark = () => {
      queued = false;
      let current = -1;
      targets.forEach((target, i) => {
        if (target && target.getBoundingClientRect().top < innerHeight * 0.3) current = i;
      });
      links.forEach((link, i) => {
        if (i === current) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      });
    };
    addEventListener(
      "scroll",
      () => {
        if (!queued) requestAnimationFrame(mark);
        queued = true;
      },
      { passive: true },
    );
    mark();
  }

  /**
   * Japanese has no spaces between words, so texts are compared by pairs of neighbouring characters: a place scores by
   * how many of the query's pairs it holds, and holding the query as a whole comes first.
   */
  function setUpSearch() {
    const dialog = document.querySelector<HTMLDialogElement>("dialog.search");
    const input = dialog?.querySelector("input");
    const list = dialog?.querySelector("ol");
    const status = dialog?.querySelector("[role=status]");
    if (!dialog || !input || !list || !status) return;
    type Place = { element: HTMLElement; text: string; folded: string; pairs: Set<string> };
    let places: Place[] | undefined;
    // NFKC may change the length, and a result must be cut from the text as it stands.
    const fold = (text: string) =>
      [...text].map((character) => character.normalize("NFKC").toLowerCase()[0] ?? "").join("");
    const pairsOf = (text: string) => {
      const squeezed = text.replace(/\s+/g, "");
      const pairs = new Set<string>();
      for (let i = 0; i < squeezed.length - 1; i++) pairs.add(squeezed.slice(i, i + 2));
      if (squeezed.length === 1) pairs.add(squeezed);
      return pairs;
    };
    const collect = () =>
      all("main > .cell.markdown > *, main > .cell:not(.markdown), main details.panel").map((element): Place => {
        const title = element.querySelector(":scope > summary")?.textContent ?? "";
        const body = element.querySelector(":scope > .panel-body")?.textContent ?? element.textContent ?? "";
        const text = (title === "" ? body : `${title} — ${body}`).replace(/\s+/g, " ").trim();
        const folded = fold(text);
        return { element, text, folded, pairs: pairsOf(folded) };
      });
    const search = () => {
      places ??= collect();
      const query = fold(input.value.trim());
      const wanted = [...pairsOf(query)];
      list.replaceChildren();
      status.textContent = "";
      if (query === "") return;
      const found = places
        .map((place) => {
          const whole = place.folded.indexOf(query);
          const one = query.length === 1;
          const share =
            wanted.filter((pair) => (one ? place.folded.includes(pair) : place.pairs.has(pair))).length / wanted.length;
          return { place, whole, score: whole >= 0 ? 2 + 1 / (1 + place.text.length) : share };
        })
        .filter(({ score }) => score >= 0.6)
        .sort((a, b) => b.score - a.score)
        .slice(0, 30);
      status.textContent = found.length === 0 ? (words.nothing ?? "") : `${found.length} ${words.found ?? ""}`;
      for (const { place, whole } of found) {
        const item = document.createElement("li");
        const go = document.createElement("button");
        go.type = "button";
        const from = Math.max(0, whole - 20);
        if (whole >= 0) {
          const hit = document.createElement("mark");
          hit.textContent = place.text.slice(whole, whole + query.length);
          go.append(
            (from > 0 ? "…" : "") + place.text.slice(from, whole),
            hit,
            `${place.text.slice(whole + query.length, whole + 80)}`,
          );
        } else {
          const near = Math.max(
            0,
            Math.min(...wanted.map((pair) => place.folded.indexOf(pair)).filter((at) => at >= 0)) - 20,
          );
          go.textContent = (near > 0 ? "…" : "") + place.text.slice(near, near + 100);
        }
        go.addEventListener("click", () => {
          dialog.close();
          reveal(place.element);
          place.element.scrollIntoView({ block: "center" });
          place.element.classList.add("found");
          setTimeout(() => place.element.classList.remove("found"), 2500);
        });
        item.append(go);
        list.append(item);
      }
    };
    input.addEventListener("input", search);
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      list.querySelector("button")?.click();
    });
    dialog.querySelector(".close")?.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    button("search")?.addEventListener("click", () => {
      dialog.showModal();
      input.select();
    });
  }

  /** j and k walk from cell to cell, o opens the panel there, / searches. */
  function setUpKeys() {
    addEventListener("keydown", (event) => {
      const target = event.target as HTMLElement;
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        event.isComposing ||
        target.closest("input, textarea, dialog")
      )
        return;
      if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
      else if (event.key === "o") {
        const panel = nearest("main > details.panel");
        if (panel instanceof HTMLDetailsElement) panel.open = !panel.open;
      } else if (event.key === "/") {
        event.preventDefault();
        button("search")?.click();
      }
    });
  }

  function step(direction: 1 | -1) {
    const cells = all("main > *");
    const line = 70; // Just below the bar.
    const tops = cells.map((cell) => cell.getBoundingClientRect().top);
    const next = direction > 0 ? tops.findIndex((top) => top > line + 8) : tops.findLastIndex((top) => top < line - 8);
    const cell = cells[next];
    if (!cell) return;
    cell.scrollIntoView();
    cell.tabIndex = -1;
    cell.focus({ preventScroll: true });
  }

  function nearest(selector: string): HTMLElement | undefined {
    return all(selector).find((element) => element.getBoundingClientRect().bottom > 70);
  }
}

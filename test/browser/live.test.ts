import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { AxeResults } from "axe-core";
import type { Browser, Locator, Page } from "playwright-core";
import { exportHtml } from "../../src/notebook/export/export.js";
import { readLiveFiles } from "../../src/notebook/export/live.js";
import type { Cell, Notebook } from "../../src/notebook/nbformat.js";
import { artefacts, noBrowser, openPage, startBrowser, type WatchedPage } from "./browser.js";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const tiny = fileURLToPath(new URL("../../../test/reference/gemma2-tiny/", import.meta.url));

const sources = {
  first: 'const x: number = 3;\nlet count = 0;\nconsole.log("こんにちは", x);\nx * 2',
  function: "interface Point { at: number }\nfunction inc(): Point { count += x; return { at: count }; }\ninc()",
  across: "inc(); count++; ({ count })",
  error: 'function fail() {\n  throw new RangeError("だめ");\n}\nfail();',
  loop: 'console.log("始まり");\nwhile (true) {}',
  ask: "const who = prompt('お名前は？');\nconst sure = confirm('よいですか？');\n[who, sure]",
  hostile: `import { display } from "kaisetsu";
display.html('<img src=x onerror="fired()"><script>fired()</script><b onclick="fired()">太字</b>');
display.markdown('<svg onload="fired()"></svg>[x](javascript:fired())');
display.svg('<svg xmlns="http://www.w3.org/2000/svg" onload="fired()"><script>fired()</script></svg>');
console.log('\\u001b]8;;javascript:fired()\\u0007link\\u001b]8;;\\u0007<img src=x onerror=fired()>');
const reached: string[] = [];
for (const [name, reach] of Object.entries({
  fetch: () => fetch("https://example.com/"),
  WebSocket: () => new Promise((ok, no) => Object.assign(new WebSocket("wss://example.com/"), { onopen: ok, onerror: no })),
  importScripts: async () => (globalThis as any).importScripts("https://example.com/x.js"),
  indexedDB: () => new Promise((ok, no) => Object.assign(indexedDB.open("x"), { onsuccess: ok, onerror: no })),
  caches: () => caches.open("x"),
  document: async () => (globalThis as any).document.title,
  eval: async () => (0, eval)("1"),
})) {
  try { await reach(); reached.push(name); } catch { /* as it should be */ }
}
reached`,
};

/** Trains the small model of the references with LoRA, and generates. */
const training = `import { AutoModelForCausalLM, AutoTokenizer, DataCollatorForLanguageModeling, Dataset, display, getPeftModel, LoraConfig, tokenizeDialogues, Trainer, TrainingArguments, useEngine } from "kaisetsu";
import { writeFileSync, existsSync } from "node:fs";
await useEngine("auto");
const tokenizer = await AutoTokenizer.fromPretrained("tiny-gemma2");
const model = getPeftModel(await AutoModelForCausalLM.fromPretrained("tiny-gemma2"), new LoraConfig({ r: 4, lora_alpha: 32, target_modules: ["q_proj", "v_proj"] }), { seed: 1 });
const message = (role: "user" | "model", content: string) => ({ role, content });
const rows = Dataset.fromArray([{ messages: [message("user", "a b"), message("model", "b a")] }]);
const data = tokenizeDialogues(rows, tokenizer, { max_length: 64 });
const args = new TrainingArguments({ output_dir: "out", max_steps: 6, learning_rate: 0.01, logging_steps: 1, save_strategy: "no", report_to: [] });
const trainer = new Trainer({ model, args, train_dataset: data, data_collator: new DataCollatorForLanguageModeling({ tokenizer, mlm: false }) });
await trainer.train();
const losses = trainer.state.log_history.flatMap(({ loss }) => loss === undefined ? [] : [loss]);
await trainer.saveModel();
JSON.stringify({ losses, saved: existsSync("out/adapter_model.safetensors") })`;

const endless = `const long = new TrainingArguments({ output_dir: "out2", max_steps: 100000, learning_rate: 0.01, save_strategy: "no", report_to: [], disable_tqdm: true });
const longer = new Trainer({ model, args: long, train_dataset: data, data_collator: new DataCollatorForLanguageModeling({ tokenizer, mlm: false }) });
await longer.train();`;

const saved = { output_type: "stream", name: "stdout", text: "保存された出力\n" } as const;
const code = (source: string, id: string, count: number): Cell => ({
  cell_type: "code",
  id,
  metadata: {},
  source,
  execution_count: count,
  outputs: [saved],
});

const notebook: Notebook = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { language_info: { name: "typescript" }, title: "動くページ" },
  cells: [
    { cell_type: "markdown", id: "intro", metadata: {}, source: "# 動くページ\n\n本文です。" },
    ...Object.entries({ ...sources, training, endless }).map(([id, source], i) => code(source, id, i + 1)),
  ],
};

describe("a live page in Chromium", { skip: noBrowser }, () => {
  let browser: Browser;
  let watched: WatchedPage;
  let page: Page;
  let html: string;

  before(async () => {
    browser = await startBrowser();
    html = await exportHtml(notebook, {
      live: { files: readLiveFiles(notebook, tiny, [join(tiny, "tiny-gemma2")]) },
    });
    watched = await openPage(browser, html);
    page = watched.page;
    await page.exposeFunction("fired", () => assert.fail("code of the notebook ran in the page"));
  });
  after(async () => {
    await watched?.close();
    await browser?.close();
  });

  const cell = (id: string): Locator => page.locator(`[id="s-cell-${id}"]`);
  const press = (id: string) => cell(id).locator(".live-run").click();
  /** Waits for the cell to end, and gives how and what it showed. */
  const ended = async (id: string, timeout = 20_000): Promise<{ state: string; text: string }> => {
    await page.waitForSelector(`[id="s-cell-${id}"]:is([data-live=done], [data-live=failed], [data-live=stopped])`, {
      timeout,
    });
    const state = (await cell(id).getAttribute("data-live"))!;
    const outputs = cell(id).locator(".live-outputs");
    return { state, text: (await outputs.count()) > 0 ? await shown(outputs) : "" };
  };
  const run = async (id: string, timeout?: number) => {
    await press(id);
    return ended(id, timeout);
  };

  test("nothing runs, and nothing is unpacked, before Run is pressed", async () => {
    assert.equal(await page.locator("iframe").count(), 0);
    assert.equal(await page.locator(".live-outputs").count(), 0);
    assert.ok(await cell("first").locator(".outputs").isVisible());
  });

  test("cells share variables, show their last expression, and replace the saved output once they have succeeded", async () => {
    assert.deepEqual(await run("first"), { state: "done", text: "こんにちは 3\n6" });
    assert.deepEqual(await run("function"), { state: "done", text: "{ at: 3 }" });
    assert.deepEqual(await run("across"), { state: "done", text: "{ count: 7 }" });
    const before = cell("first").locator(".outputs:not(.live-outputs)");
    assert.equal(await before.isVisible(), false);
    await cell("first").locator(".live-saved").click();
    assert.equal(await shown(before), "保存された出力");
    assert.equal(await cell("first").locator(".live-outputs").isVisible(), false);
    await cell("first").locator(".live-saved").click();
  });

  test("an edited cell runs as edited, may declare its names again, and can be put back", async () => {
    await cell("first").locator(".live-edit").click();
    const field = cell("first").locator("textarea");
    await field.press("ControlOrMeta+a");
    await page.keyboard.insertText("const x = 40;\nlet count = 1;\nx + 2");
    await field.press("Shift+Enter");
    assert.deepEqual(await ended("first"), { state: "done", text: "42" });
    assert.deepEqual(await run("function"), { state: "done", text: "{ at: 41 }" });
    // Esc, then Tab leaves the field: nobody is caught in it.
    await field.press("Escape");
    await field.press("Tab");
    assert.equal(await field.evaluate((element) => element === document.activeElement), false);
    await cell("first").locator(".live-revert").click();
    assert.deepEqual(await run("first"), { state: "done", text: "こんにちは 3\n6" });
  });

  test("an error names the line, and the saved output stays", async () => {
    const { state, text } = await run("error");
    assert.equal(state, "failed");
    assert.match(text, /RangeError: だめ/);
    assert.match(text, /> 2 \| {3}throw new RangeError/);
    assert.ok(await cell("error").locator(".outputs").first().isVisible());
    assert.equal(await shown(cell("error").locator(".outputs").first()), "保存された出力");
  });

  test("prompt and confirm are asked in the page", async () => {
    await press("ask");
    await page.fill(".live-question input", "太郎");
    await page.keyboard.press("Enter");
    await page.click('.live-question button:has-text("はい")');
    const { state, text } = await ended("ask");
    assert.equal(state, "done");
    assert.match(text, /\[ '太郎', true \]/);
  });

  test("what a hostile cell shows is inert, and it reaches nothing outside its worker", async () => {
    const { state, text } = await run("hostile");
    assert.equal(state, "done", text);
    assert.match(text, /太字/);
    assert.match(text, /\n\[\]$/, "reached nothing");
    assert.equal(await cell("hostile").locator(".live-outputs :is(script, [onerror], [onclick], svg)").count(), 0);
  });

  test("the small model trains: the loss falls, the adapter is saved in memory", async () => {
    const { state, text } = await run("training", 60_000);
    assert.equal(state, "done", text);
    const { losses, saved } = JSON.parse(/'(\{.*\})'/.exec(text)![1]!) as { losses: number[]; saved: boolean };
    assert.equal(losses.length, 6);
    assert.ok(losses.at(-1)! < losses[0]! * 0.9, `losses ${losses}`);
    assert.ok(saved);
    await page.screenshot({ path: join(artefacts, "live-trained.png"), fullPage: true });
  });

  test("Stop ends a training run within a second, in good order: variables stay", async () => {
    await press("endless");
    await page.waitForSelector('[id="s-cell-endless"][data-live=running]');
    await page.waitForTimeout(300);
    await page.click(".live-stop");
    assert.equal((await ended("endless", 1500)).state, "stopped");
    assert.deepEqual(await run("across"), { state: "done", text: "{ count: 4 }" });
  });

  test("axe finds nothing, light and dark, and nothing scrolls sideways at 320 px", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await axe(page), [], colorScheme);
    }
    await page.setViewportSize({ width: 320, height: 640 });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320);
    await page.screenshot({ path: join(artefacts, "live-320.png"), fullPage: true });
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("Stop ends an endless loop within a second; cells above are offered again", async () => {
    await press("loop");
    await page.waitForSelector('[id="s-cell-loop"] .live-outputs');
    await page.click(".live-stop");
    assert.equal((await ended("loop", 1500)).state, "stopped");
    await press("across");
    await cell("across").locator('.live-offer button:has-text("上のセルから実行")').click();
    assert.deepEqual(await ended("across"), { state: "done", text: "{ count: 7 }" });
  });

  test("no request has left the page, and the console is clean", () => {
    assert.deepEqual(
      watched.requests.filter((url) => !url.startsWith("blob:")),
      [],
    );
    // What a hostile cell tried and the policy refused is reported by the browser itself.
    assert.deepEqual(
      watched.problems.filter((text) => !/Content Security Policy|example\.com/.test(text)),
      [],
    );
  });

  test("without --live the page is what it was, with the stricter policy", async () => {
    const plain = await exportHtml(notebook);
    assert.doesNotMatch(plain, /blob:|wasm-unsafe-eval|kaisetsu-live|live-/);
  });
});

/** What a reader sees, with its line ends. */
function shown(locator: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: textContent knows no lines
  return locator.evaluate((element) => (element as HTMLElement).innerText);
}

async function axe(page: Page): Promise<string[]> {
  // Not addScriptTag: the page's policy rightly refuses a script that is not its own.
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 150)).join("; ")}`);
}

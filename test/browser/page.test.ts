import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { readPanel } from "../../src/explain/panel.js";
import { readNotebook } from "../../src/notebook/document.js";
import { exportHtml } from "../../src/notebook/export/export.js";
import { isCode } from "../../src/notebook/nbformat.js";
import { artefacts, axe, noBrowser, openPage, startBrowser } from "./browser.js";

const sample = fileURLToPath(new URL("../../../test/fixtures/sample.ipynb", import.meta.url));

describe("the exported page in Chromium", { skip: noBrowser }, () => {
  let browser: Browser;
  let html: string;

  before(async () => {
    browser = await startBrowser();
    html = await exportHtml(readNotebook(sample), { name: "sample.ipynb" });
  });
  after(() => browser?.close());

  for (const colorScheme of ["light", "dark"] as const) {
    for (const [width, height] of [
      [1280, 900],
      [320, 640],
    ] as const) {
      test(`${colorScheme}, ${width} px: no request, no console error, axe finds nothing, nothing overflows`, async () => {
        const { page, requests, problems, close } = await openPage(browser, html, {
          colorScheme,
          viewport: { width, height },
        });
        for (const state of ["closed", "open"]) {
          if (state === "open") {
            await page.click("[data-do=panels]");
            await page.evaluate(() => {
              for (const details of document.querySelectorAll<HTMLDetailsElement>("main details")) details.open = true;
            });
          }
          await page.screenshot({ path: join(artefacts, `page-${colorScheme}-${width}-${state}.png`), fullPage: true });
          assert.deepEqual(await axe(page), [], `axe, panels ${state}`);
          assert.ok(
            (await page.evaluate(() => document.documentElement.scrollWidth)) <= width,
            "the page scrolls sideways",
          );
        }
        assert.deepEqual(requests, []);
        assert.deepEqual(problems, []);
        await close();
      });
    }
  }

  test("readable with scripts off: code, outputs and panels that open", async () => {
    const { page, close } = await openPage(browser, html, { javaScriptEnabled: false });
    await page.click("main > details.panel > summary");
    assert.ok(await page.isVisible("main > details.panel .panel-body"));
    assert.ok(await page.isVisible("main pre.code"));
    assert.ok(await page.isVisible("main .outputs pre"));
    assert.equal(await page.isVisible(".bar"), false, "tools that would not work are not shown");
    await close();
  });

  test("a link into a closed panel opens it, now and when the page is loaded so", async () => {
    const { page, close } = await openPage(browser, html);
    const id = await page.evaluate(() => document.querySelectorAll(".panel-body [id]")[0]!.id);
    assert.equal(await page.isVisible(`[id="${id}"]`), false);
    await page.evaluate((target) => {
      location.hash = `#${target}`;
    }, id);
    await page.waitForSelector(`[id="${id}"]`, { state: "visible" });
    await page.reload();
    await page.waitForSelector(`[id="${id}"]`, { state: "visible" });
    await close();
  });

  test("all panels open and close, code is copied whole, cells fold, the theme stays chosen", async () => {
    const { page, close } = await openPage(browser, html, { permissions: ["clipboard-read", "clipboard-write"] });
    const open = () => page.locator("main > details.panel[open]").count();
    await page.click("[data-do=panels]");
    assert.equal(await open(), 7);
    await page.click("[data-do=panels]");
    assert.equal(await open(), 0);

    await page.hover("main pre.code");
    await page.click(".copy");
    assert.equal(
      await page.evaluate(() => navigator.clipboard.readText()),
      await page.textContent("main pre.code code"),
    );

    await page.locator(".folder").first().click({ force: true });
    assert.equal(await page.isVisible("main pre.code >> nth=0"), false);
    await page.click(".menu summary");
    await page.click("text=行番号");
    assert.equal(await page.evaluate(() => document.documentElement.classList.contains("numbers")), false);
    await page.click("label:has-text('出力')");
    assert.equal(await page.isVisible(".outputs >> nth=0"), false);

    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await background();
    await page.click("[data-do=theme]");
    assert.equal(await background(), light);
    await page.click("[data-do=theme]");
    assert.notEqual(await background(), light);
    const dark = await background();
    await page.reload();
    assert.equal(await background(), dark);
    await close();
  });

  test("search finds Japanese inside closed panels, whole or nearly, and leads there", async () => {
    const { page, close } = await openPage(browser, html);
    await page.keyboard.press("/");
    await page.fill("dialog input", "覚えすぎ");
    assert.match((await page.textContent("dialog [role=status]"))!, /^1 /);
    assert.equal(await page.textContent("dialog mark"), "覚えすぎ");
    await page.fill("dialog input", "過学習のしるし");
    assert.match((await page.textContent("dialog ol"))!, /過学習）のしるし/, "brackets between do not hide it");
    await page.fill("dialog input", "存在しない言葉");
    assert.equal(await page.locator("dialog li").count(), 0);
    await page.fill("dialog input", "覚えすぎ");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=覚えすぎ（過学習）", { state: "visible" });
    await close();
  });

  test("keys walk from cell to cell", async () => {
    const { page, close } = await openPage(browser, html);
    const top = () => page.evaluate(() => document.activeElement!.id);
    await page.keyboard.press("j");
    const first = await top();
    await page.keyboard.press("j");
    const second = await top();
    assert.ok(first && second && first !== second);
    await page.keyboard.press("k");
    assert.equal(await top(), first);
    await close();
  });

  test("on paper every panel is open and no code is cut off", async (t) => {
    const { page, close } = await openPage(browser, html, { viewport: { width: 700, height: 900 } });
    await page.emulateMedia({ media: "print" });
    const hidden = await page.evaluate(() =>
      [...document.querySelectorAll("main p, main pre, main td")]
        .filter((element) => element.getClientRects().length === 0)
        .map((element) => element.textContent),
    );
    assert.deepEqual(hidden, []);
    const cut = await page.evaluate(() =>
      [...document.querySelectorAll("main pre")]
        .filter((pre) => pre.scrollWidth > pre.clientWidth + 1)
        .map((pre) => pre.textContent),
    );
    assert.deepEqual(cut, []);
    const pdf = join(artefacts, "page.pdf");
    assert.ok((await page.pdf({ path: pdf, format: "A4" })).length > 20_000);
    await close();
    const { error, stdout } = spawnSync("pdftotext", ["-raw", pdf, "-"], { encoding: "utf8" });
    if (error) return t.diagnostic("the PDF's text is not compared: no pdftotext (apt-get install poppler-utils)");
    const printed = stdout.replace(/\s/g, "").normalize("NFKC");
    for (const cell of readNotebook(sample).cells) {
      const texts = isCode(cell) ? cell.source.split("\n") : [readPanel(cell.source)?.title ?? ""];
      const opened = isCode(cell)
        ? []
        : (readPanel(cell.source)?.body.match(/[\u3040-\u30ff\u4e00-\u9fff]{4,}/g) ?? []);
      // A page's end may fall into a line, and its number then comes between: only whole lines are looked for.
      for (const text of [...texts, ...opened])
        assert.ok(printed.includes(text.replace(/\s/g, "").normalize("NFKC")), `not on paper: ${text}`);
    }
  });
});

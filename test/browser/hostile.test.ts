import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { exportHtml } from "../../src/notebook/export/export.js";
import type { Notebook } from "../../src/notebook/nbformat.js";
import { noBrowser, openPage, startBrowser } from "./browser.js";
import { hostileNotebooks, htmlPayloads } from "./hostile.js";

describe("hostile notebooks are inert in Chromium", { skip: noBrowser }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser?.close());

  test("the canary does fire when a page lets it", async () => {
    assert.notDeepEqual(await provoke(`<!DOCTYPE html><body>${htmlPayloads[3]}${htmlPayloads[25]}</body>`, true), []);
    assert.notDeepEqual(await provoke(`<!DOCTYPE html><body><img src="https://canary.invalid/"></body>`, true), []);
  });

  // Once as it is; once with the page's policy switched off, so that the sanitiser stands alone.
  for (const bypassCSP of [false, true]) {
    test(`every family of fields, ${bypassCSP ? "without" : "with"} the page's policy`, async () => {
      const families = hostileNotebooks();
      const together: Notebook = {
        nbformat: 4,
        nbformat_minor: 4,
        metadata: Object.assign({}, ...families.map(([, notebook]) => notebook.metadata)),
        cells: families.flatMap(([, notebook]) => notebook.cells),
      };
      const name = families.find(([, , fileName]) => fileName !== undefined)![2];
      if ((await provoke(await exportHtml(together, { name }), bypassCSP)).length === 0) return;
      const guilty: Record<string, string[]> = {};
      for (const [family, notebook, fileName] of families) {
        const caught = await provoke(await exportHtml(notebook, { name: fileName }), bypassCSP);
        if (caught.length > 0) guilty[family] = caught;
      }
      assert.deepEqual(guilty, {});
      assert.fail("only all families together got through");
    });
  }

  /** Opens the page, opens, hovers, focuses and clicks everything in it, and returns what got through. */
  async function provoke(html: string, bypassCSP: boolean): Promise<string[]> {
    const { page, requests, close } = await openPage(browser, html, { bypassCSP, beforeLoad: watch });
    const caught: string[] = [];
    page.on("dialog", (dialog) => {
      caught.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    const address = page.url().split("#")[0];
    await page.evaluate(async () => {
      const wait = () => new Promise((resolve) => setTimeout(resolve, 30));
      await wait();
      for (const details of document.querySelectorAll("details")) details.open = true;
      await wait();
      for (const element of document.querySelectorAll<HTMLElement>("main *")) {
        for (const type of ["mouseover", "mouseenter", "focus", "pointerdown", "animationstart", "toggle"]) {
          element.dispatchEvent(new Event(type, { bubbles: true }));
        }
        if (element instanceof HTMLAnchorElement && /^(https?:|#|[\w./]*$)/.test(element.getAttribute("href") ?? "#"))
          continue;
        if (element instanceof HTMLAnchorElement || element instanceof HTMLButtonElement) element.click();
      }
      await wait();
    });
    caught.push(...(await page.evaluate(() => (globalThis as unknown as { caught: string[] }).caught)));
    if (page.url().split("#")[0] !== address) caught.push(`went to ${page.url()}`);
    await close();
    return [...caught, ...requests];
  }

  function watch(): void {
    const caught: string[] = [];
    Object.assign(globalThis, { caught, canary: () => caught.push("canary") });
  }
});

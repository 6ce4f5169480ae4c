import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { axe, noBrowser, startBrowser } from "./browser.js";

const cli = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

function notebook(...sources: string[]): string {
  const cells = sources.map((source) => ({ cell_type: "markdown", metadata: {}, source }));
  return JSON.stringify({ nbformat: 4, nbformat_minor: 4, metadata: {}, cells });
}

describe("a folder of notebooks as a site", () => {
  let root: string;
  let site: string;
  let result: { status: number | null; stderr: string };
  const run = (...args: string[]) => spawnSync(process.execPath, [cli, "export", ...args], { encoding: "utf8" });

  before(() => {
    root = mkdtempSync(join(tmpdir(), "kaisetsu-site-"));
    const folder = join(root, "講座");
    site = join(root, "site");
    mkdirSync(join(folder, "付録"), { recursive: true });
    mkdirSync(join(folder, ".ipynb_checkpoints"));
    mkdirSync(join(folder, "図"));
    writeFileSync(join(folder, "図/a.png"), "picture");
    writeFileSync(
      join(folder, "2 準備.ipynb"),
      notebook(
        "# 準備",
        "道具を**そろえます**。次に進みます。",
        "[学習](./10%20学習.ipynb#効く-設定) [無い](x.ipynb) [外](https://example.org/a.ipynb)",
      ),
    );
    writeFileSync(
      join(folder, "10 学習.ipynb"),
      notebook("# 学習 <b>&</b>", "- 箇条書き", `${"本文。\n\n".repeat(80)}## 効く 設定`, "[付録](付録/1.ipynb)"),
    );
    writeFileSync(join(folder, "付録/1.ipynb"), notebook("# 付録", "![図](../図/a.png) [戻る](../2%20準備.ipynb)"));
    writeFileSync(join(folder, "index.ipynb"), notebook("# はじめに"));
    writeFileSync(join(folder, ".ipynb_checkpoints/2 準備-checkpoint.ipynb"), notebook("# 古い"));
    writeFileSync(join(folder, "3 壊れた.ipynb"), '{"cells": [');
    writeFileSync(join(folder, "_toc.yml"), "root: index\nparts:\n  - chapters:\n      - file: 2 準備\n");
    result = run(folder, "-o", site);
  });
  after(() => rmSync(root, { recursive: true }));

  test("a page for each notebook, in reading order; the broken one is named and the rest is there", () => {
    assert.equal(result.status, 1, result.stderr);
    assert.match(result.stderr, /left out 3 壊れた\.ipynb: .*JSON/);
    assert.deepEqual(readdirSync(root).sort(), ["site", "講座"], "nothing half-written stays");
    const index = readFileSync(join(site, "index.html"), "utf8");
    const links = [...index.matchAll(/<li><a href="([^"]*)">([^<]*)<\/a>(?:<p>(.*?)<\/p>)?/g)].map(([, ...found]) => [
      decodeURIComponent(found[0]!),
      ...found.slice(1),
    ]);
    assert.deepEqual(links, [
      ["index-notebook.html", "はじめに", undefined],
      ["2 準備.html", "準備", "道具をそろえます。"],
      ["10 学習.html", "学習 &amp;", "本文。"],
      ["付録/1.html", "付録", undefined],
    ]);
    assert.match(readFileSync(join(site, "付録/1.html"), "utf8"), /src="data:image\/png;base64,cGljdHVyZQ=="/);
  });

  test("an older site is replaced, anything else is not", () => {
    const other = join(root, "other");
    try {
      mkdirSync(other);
      writeFileSync(join(other, "mine.html"), "mine");
      const folder = join(root, "講座");
      assert.equal(run(folder, "-o", other).status, 2);
      assert.deepEqual(readdirSync(other), ["mine.html"]);
      assert.equal(run(folder, "-o", site).status, 1);
      assert.ok(existsSync(join(site, "index.html")));
      const empty = join(root, "empty");
      mkdirSync(empty);
      const { status, stderr } = run(empty);
      assert.equal(status, 2);
      assert.match(stderr, /no notebook/);
      rmSync(empty, { recursive: true });
    } finally {
      rmSync(other, { recursive: true });
    }
  });

  describe("in Chromium", { skip: noBrowser }, () => {
    let browser: Browser;
    before(async () => {
      browser = await startBrowser();
    });
    after(() => browser?.close());

    test("links lead from page to page by keyboard, and nothing else is requested", async () => {
      const page = await browser.newPage({ viewport: { width: 360, height: 700 } });
      const requests: string[] = [];
      const problems: string[] = [];
      page.on("request", (request) => {
        if (!request.isNavigationRequest() && !request.url().startsWith("data:")) requests.push(request.url());
      });
      page.on("console", (message) => problems.push(message.text()));
      let at = "";
      const follow = async (link: string) => {
        await page.focus(link);
        await Promise.all([page.waitForURL((url) => url.href !== at), page.keyboard.press("Enter")]);
        at = page.url();
      };
      await page.goto(pathToFileURL(join(site, "index.html")).href);
      at = page.url();
      assert.deepEqual(await axe(page), []);
      await follow("main li a");
      assert.equal(await page.title(), "はじめに");
      await follow("[rel=next]");
      assert.equal(await page.title(), "準備");
      assert.deepEqual(await axe(page), []);
      const hrefs = await page.evaluate(() =>
        [...document.querySelectorAll("main .cell a:not(.anchor)")].map((link) => link.getAttribute("href")),
      );
      assert.deepEqual(hrefs.slice(1), ["x.ipynb", "https://example.org/a.ipynb"]);
      await follow("main .cell p a");
      assert.equal(await page.title(), "学習 &");
      assert.ok((await page.locator("h2").boundingBox())!.y < 700, "the heading that was linked is in view");
      await follow("main .cell p a");
      assert.equal(await page.title(), "付録");
      assert.equal(await page.locator("[rel=next]").count(), 0);
      await follow("[rel=prev]");
      await follow(".up a");
      assert.match(page.url(), /index\.html$/);
      assert.deepEqual([requests, problems], [[], []]);
      await page.close();
    });
  });
});

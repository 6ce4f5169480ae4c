/** The system's Chromium, watched: what a page requests, logs, and (when hostile) reaches. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { AxeResults } from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const executablePath = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== undefined && existsSync(path));

/** For `test(…, { skip })`: the reason, when there is no browser here. */
export const noBrowser =
  executablePath === undefined && "no Chromium found (apt-get install chromium, or set CHROMIUM)";

/** Where screenshots are left for people to look at. */
export const artefacts = fileURLToPath(new URL("../../../runs/browser/", import.meta.url));

export async function startBrowser(): Promise<Browser> {
  mkdirSync(artefacts, { recursive: true });
  return chromium.launch({
    executablePath,
    // As root in a container there is no sandbox; the rest keeps the browser's own requests out of the way.
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--no-first-run",
    ],
  });
}

export interface WatchedPage {
  page: Page;
  /** Requests for anything but the page itself and data in it. */
  requests: string[];
  /** Errors and warnings on the console, and uncaught exceptions. */
  problems: string[];
  close(): Promise<void>;
}

/** Opens the page as a reader would, from a file. */
export async function openPage(
  browser: Browser,
  html: string,
  { beforeLoad, ...options }: BrowserContextOptions & { beforeLoad?: () => void } = {},
): Promise<WatchedPage> {
  const file = join(mkdtempSync(join(tmpdir(), "kaisetsu-page-")), "page.html");
  writeFileSync(file, html);
  const context = await browser.newContext(options);
  const page = await context.newPage();
  if (beforeLoad) await page.addInitScript(beforeLoad);
  const requests: string[] = [];
  const problems: string[] = [];
  const own = pathToFileURL(file).href;
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith("data:") && url.split("#")[0] !== own) requests.push(url);
  });
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(own);
  return {
    page,
    requests,
    problems,
    async close() {
      await context.close();
      rmSync(dirname(file), { recursive: true });
    },
  };
}

/** The violations that axe finds in the page as it stands. */
export async function axe(page: Page): Promise<string[]> {
  // Not addScriptTag: the page's policy rightly refuses a script that is not its own.
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map((node) => `${node.html.slice(0, 150)} ${node.any[0]?.message ?? ""}`).join("; ")}`,
  );
}

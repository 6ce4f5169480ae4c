import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import type { Page } from "playwright-core";
import { installKernel } from "../../kernel/install.js";
import { artefacts, noBrowser, startBrowser } from "../browser/browser.js";

const server = ["/usr/bin/jupyter-notebook", "/usr/local/bin/jupyter-notebook"].find((path) => existsSync(path));
const skip = (server === undefined && "no jupyter-notebook here (apt-get install jupyter-notebook)") || noBrowser;

/** Generous: the server is Python's, and CI machines are small. */
const PATIENCE = 60_000;

it("serves Jupyter's own front end: rich output, a prompt, an interrupt", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "kaisetsu-front-end-"));
  writeFileSync(
    join(folder, "n.ipynb"),
    JSON.stringify(
      notebook(
        "console.log('hello from', process.title.length > 0 ? 'Node' : '');\n[{ word: '解説', meaning: 'explanation' }]",
        "const answer = prompt('Who are you? ');\n'welcome ' + answer",
        "console.log('spinning'); await null; for (;;);",
        "answer.toUpperCase()",
      ),
    ),
  );
  const jupyter = await startServer(folder);
  const browser = await startBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1000, height: 1200 } });
    await page.goto(`${jupyter.url}/notebooks/n.ipynb`, { timeout: PATIENCE });
    await page.waitForSelector(".kernel_idle_icon", { state: "attached", timeout: PATIENCE });

    await runCell(page, 0);
    await output(page, 0, "table td >> text=explanation");
    await output(page, 0, ".output_stdout >> text=hello from Node");

    await runCell(page, 1);
    const input = await page.waitForSelector(".cell input.raw_input", { timeout: PATIENCE });
    await input.fill("kaisetsu");
    await input.press("Enter");
    await output(page, 1, ".output_result >> text=welcome kaisetsu");

    await runCell(page, 2);
    await output(page, 2, ".output_stdout >> text=spinning");
    await page.evaluate("IPython.notebook.kernel.interrupt()");
    await output(page, 2, ".output_error >> text=KeyboardInterrupt");

    await runCell(page, 3);
    await output(page, 3, ".output_result >> text=KAISETSU");
    await page.screenshot({ path: join(artefacts, "jupyter-notebook.png"), fullPage: true });
  } finally {
    await browser.close();
    jupyter.process.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

function notebook(...sources: string[]) {
  const kernelspec = { name: "kaisetsu", display_name: "TypeScript (kaisetsu)", language: "typescript" };
  const cells = sources.map((source) => ({
    cell_type: "code",
    metadata: {},
    execution_count: null,
    outputs: [],
    source,
  }));
  return { nbformat: 4, nbformat_minor: 4, metadata: { kernelspec }, cells };
}

async function startServer(folder: string): Promise<{ process: ChildProcess; url: string }> {
  installKernel({ prefix: join(folder, "prefix") });
  const child = spawn(
    server!,
    [
      ...["--no-browser", "--allow-root", "--ip=127.0.0.1", `--port=${await freePort()}`, "--NotebookApp.token="],
      `--notebook-dir=${folder}`,
    ],
    {
      env: {
        ...process.env,
        JUPYTER_PATH: join(folder, "prefix/share/jupyter"),
        JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
        JUPYTER_CONFIG_DIR: join(folder, "config"),
        KAISETSU_DATA_DIR: folder,
      },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let log = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`jupyter-notebook ended with ${code}:\n${log}`)));
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      const match = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(log);
      if (match) resolve(match[0]);
    });
  });
  return { process: child, url };
}

/** The server takes port 0 at its word. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function runCell(page: Page, index: number): Promise<void> {
  await page.evaluate(`IPython.notebook.execute_cells([${index}])`);
}

async function output(page: Page, index: number, selector: string): Promise<void> {
  await page.locator(`.code_cell >> nth=${index} >> ${selector}`).first().waitFor({ timeout: PATIENCE });
}

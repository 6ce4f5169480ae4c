import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { exportSite, type SiteOptions, type SiteProblem } from "../notebook/export/site.js";

/** The folder cannot become a site, or the site not be put where it was asked for. */
export class SiteError extends Error {
  override name = "SiteError";
}

/**
 * Writes the site beside its place and moves it there as a whole, so that nobody sees half of one.
 * @throws SiteError when there is no notebook that can be exported, or when `output` holds something else
 */
export async function exportSiteTo(folder: string, output: string, options: SiteOptions): Promise<SiteProblem[]> {
  if (existsSync(output) && !isOurs(output)) {
    throw new SiteError(
      `${output} is not a site that kaisetsu wrote, and will not be replaced; name another folder with -o`,
    );
  }
  const temporary = `${output}.${process.pid}.tmp`;
  try {
    const write = (path: string, html: string) => {
      mkdirSync(dirname(join(temporary, path)), { recursive: true });
      writeFileSync(join(temporary, path), html);
    };
    const { pages, problems } = await exportSite(folder, write, options, [output, temporary]);
    if (pages === 0) {
      const reasons = problems.map(({ notebook, message }) => `\n  ${notebook}: ${message}`);
      throw new SiteError(`no notebook in ${folder} could be exported${reasons.join("")}`);
    }
    put(temporary, output);
    return problems;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function put(temporary: string, output: string): void {
  if (!existsSync(output)) {
    renameSync(temporary, output);
    return;
  }
  const old = `${output}.${process.pid}.old`;
  renameSync(output, old);
  try {
    renameSync(temporary, output);
  } catch (error) {
    renameSync(old, output);
    throw error;
  }
  rmSync(old, { recursive: true });
}

/** An empty folder, or one whose index says so and that holds nothing but pages. */
function isOurs(output: string): boolean {
  try {
    const files = readdirSync(output, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
    if (files.length === 0) return true;
    if (!files.every(({ name }) => name.endsWith(".html"))) return false;
    return readFileSync(join(output, "index.html"), "utf8").includes('<meta name="generator" content="kaisetsu">');
  } catch {
    return false;
  }
}

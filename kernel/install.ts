import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { TypeMode } from "./compiler/cell.js";
import { DISPLAY_NAME, KERNEL_NAME, kernelArgv } from "./spec.js";

export interface InstallPlace {
  /** Where Jupyter looks for this user's kernels; the default. */
  user?: boolean;
  /** Into the active Python environment (`VIRTUAL_ENV` or `CONDA_PREFIX`). */
  sysPrefix?: boolean;
  /** Into `<prefix>/share/jupyter/kernels`. */
  prefix?: string;
  /** The kernel's name, so that two versions can live side by side. */
  name?: string;
}

export interface InstallOptions extends InstallPlace {
  displayName?: string;
  types?: TypeMode;
}

export class KernelInstallError extends Error {
  override name = "KernelInstallError";
}

/** Writes the kernel's specification where Jupyter finds it; no Python is needed. Returns the folder. */
export function installKernel(options: InstallOptions = {}): string {
  const folder = specFolder(options);
  const spec = {
    argv: kernelArgv(),
    display_name: options.displayName ?? DISPLAY_NAME,
    language: "typescript",
    interrupt_mode: "message",
    env: options.types ? { KAISETSU_TYPES: options.types } : {},
    metadata: { debugger: false },
  };
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
    writeFileSync(join(folder, "logo-svg.svg"), logo);
  } catch (error) {
    throw new KernelInstallError(`cannot write the kernel's specification to ${folder}: ${(error as Error).message}`);
  }
  return folder;
}

/** Removes what `installKernel` wrote. Throws `KernelInstallError` when there is none, or it is somebody else's. */
export function uninstallKernel(place: InstallPlace = {}): string {
  const folder = specFolder(place);
  const file = join(folder, "kernel.json");
  if (!existsSync(file)) throw new KernelInstallError(`there is no kernel in ${folder}`);
  const { language, argv = [] } = JSON.parse(readFileSync(file, "utf8")) as { language?: string; argv?: string[] };
  if (language !== "typescript" || !argv.some((word) => /kernel[\\/]main\.js$/.test(word))) {
    throw new KernelInstallError(`${file} is not a specification of kaisetsu's; remove it by hand if you mean it`);
  }
  rmSync(folder, { recursive: true });
  return folder;
}

function specFolder({ sysPrefix, prefix, name = KERNEL_NAME }: InstallPlace): string {
  if (!/^[A-Za-z0-9._-]+$/.test(name)) {
    throw new KernelInstallError(`"${name}" cannot be a kernel's name: use letters, digits, ".", "_" and "-"`);
  }
  if (prefix !== undefined) return join(resolve(prefix), "share", "jupyter", "kernels", name);
  if (sysPrefix) {
    const active = process.env.VIRTUAL_ENV || process.env.CONDA_PREFIX;
    if (!active) {
      throw new KernelInstallError("--sys-prefix needs an active Python environment; give its folder with --prefix");
    }
    return join(active, "share", "jupyter", "kernels", name);
  }
  return join(jupyterDataFolder(), "kernels", name);
}

/** The same places as jupyter_core's `jupyter_data_dir`. */
export function jupyterDataFolder(): string {
  const { JUPYTER_DATA_DIR, APPDATA, XDG_DATA_HOME } = process.env;
  if (JUPYTER_DATA_DIR) return JUPYTER_DATA_DIR;
  if (process.platform === "darwin") return join(homedir(), "Library", "Jupyter");
  if (process.platform === "win32") return join(APPDATA || join(homedir(), ".jupyter", "data"), "jupyter");
  return join(XDG_DATA_HOME || join(homedir(), ".local", "share"), "jupyter");
}

const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
<rect width="64" height="64" rx="12" fill="#2f6f8f"/>
<path d="M14 18h36v22H30l-10 9v-9h-6z" fill="#fff"/>
<path d="M21 25h22M21 32h15" stroke="#2f6f8f" stroke-width="4" stroke-linecap="round"/>
</svg>
`;

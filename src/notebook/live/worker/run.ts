/** Runs one cell at a time, in the variables that the cells before it left. */
import { Scope } from "../../scope.js";
import type { ToWorker } from "../messages.js";
import { compileCell } from "./compile.js";
import { describeError, registerSource } from "./errors.js";
import { ask, askInVain } from "./host.js";
import { importModule } from "./modules.js";
import { post, setCell, show } from "./output.js";
import { shown } from "./show.js";

type CellFunction = () => Promise<{ value: unknown } | undefined>;
type Declare = Scope["declare"];

const scope = new Scope();

export async function runCell({ cell, label, code, anyway }: ToWorker & { type: "run" }): Promise<void> {
  setCell(cell);
  const declared: ReturnType<Declare>[] = [];
  const file = registerSource(cell, label, code);
  try {
    const { js, missing } = compileCell(code, {
      isEarlier: (name) => name in scope.object,
      isGlobal: (name) => name in globalThis,
    });
    if (missing.length > 0 && !anyway) return post({ type: "missing", cell, names: missing });
    const api = {
      declare: (accessors: Parameters<Declare>[0]) => declared.push(scope.declare(accessors)),
      import: importModule,
      meta: { url: "file:///notebook/notebook.ipynb", filename: "/notebook/notebook.ipynb", dirname: "/notebook" },
      ask,
      askInVain,
    };
    const result = await load(js, file)(api, scope.object)();
    const bundle = await shown(result?.value);
    if (bundle) show(bundle);
    finish();
    post({ type: "done", cell });
  } catch (error) {
    finish();
    post({ type: "done", cell, error: describeError(error, cell) });
  }

  /** Names that the cell did not get to keep their earlier meaning. */
  function finish(): void {
    for (const names of declared) names.settle();
  }
}

/**
 * Evaluates a function without `eval`, which the page's policy forbids: as a script of its own. Its name in stack traces
 * is `file`.
 */
function load(js: string, file: string): (api: object, scope: object) => CellFunction {
  const holder = globalThis as { __kaisetsuCell?: unknown };
  const url = URL.createObjectURL(
    new Blob([`self.__kaisetsuCell=${js}\n//# sourceURL=${file}`], { type: "text/javascript" }),
  );
  try {
    importScripts(url);
    return holder.__kaisetsuCell as ReturnType<typeof load>;
  } finally {
    URL.revokeObjectURL(url);
    delete holder.__kaisetsuCell;
  }
}

declare function importScripts(url: string): void;

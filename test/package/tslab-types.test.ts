import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Stock tslab brings its own TypeScript 5.0 and resolves as Node 10 did: main and types, no exports map. */
function tslabDiagnostics(cell: string): string[] {
  const ts = require("@tslab/typescript-for-tslab") as typeof import("typescript");
  assert.match(ts.version, /^5\.0/, "the compiler that stock tslab ships");
  const folder = mkdtempSync(join(root, "dist/tslab-types-"));
  try {
    const file = join(folder, "cell.ts");
    writeFileSync(file, cell);
    const program = ts.createProgram([file], {
      target: ts.ScriptTarget.ES2022,
      lib: ["lib.es2022.d.ts"],
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Node10,
      esModuleInterop: true,
      experimentalDecorators: true,
      resolveJsonModule: true,
      types: ["node"],
      noEmit: true,
    });
    const ours = program.getSourceFiles().filter((source) => source.fileName.startsWith(join(root, "dist/")));
    assert.ok(ours.length > 1, "the cell's import did not resolve to our declarations");
    const diagnostics = ours.flatMap((source) => [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ]);
    return diagnostics.map(
      ({ file: at, messageText }) => `${at?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("our declarations parse and check under stock tslab's TypeScript 5.0 with Node 10 resolution", () => {
  assert.deepEqual(tslabDiagnostics('import * as kaisetsu from "kaisetsu";\nexport const all = kaisetsu;\n'), []);
});

test("a wrong use of our names is an error there, so the check above can fail", () => {
  const diagnostics = tslabDiagnostics('import { noSuchName } from "kaisetsu";\nexport const x = noSuchName;\n');
  assert.equal(diagnostics.length, 1);
  assert.match(diagnostics[0]!, /noSuchName/);
});

test("main and types stand at the root of package.json and name built files", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, string>;
  for (const key of ["main", "types"]) readFileSync(join(root, manifest[key]!));
});

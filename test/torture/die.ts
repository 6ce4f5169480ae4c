import { writeFileSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

type Operation = (...inputs: unknown[]) => Promise<unknown>;

/**
 * Kills this process in front of its `n`-th operation on files, counted from now, or half-way through it where it writes.
 * A timer hits a save only by luck, and hardly ever the moment between two renames; this meets every moment of it.
 */
export function dieAtOperation(n: number): void {
  let count = 0;
  const die = () => {
    process.kill(process.pid, "SIGKILL");
    // The signal needs a moment to arrive; nothing else may happen in it.
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  };
  const counted = (owner: object, name: string) => {
    const methods = owner as Record<string, Operation>;
    const original = methods[name]!;
    methods[name] = (...inputs) => {
      count += 1;
      if (count === n) {
        if (name === "writeFile") writeHalf(inputs);
        die();
      }
      return original.apply(owner, inputs);
    };
  };
  for (const name of ["mkdir", "open", "readdir", "rename", "rm", "stat", "writeFile"]) counted(promises, name);
  const { open } = promises;
  (promises as { open: Operation }).open = async (...inputs) => {
    const handle = await (open as Operation)(...inputs);
    for (const name of ["write", "sync", "close"]) counted(handle as object, name);
    return handle;
  };
  syncBuiltinESMExports();
}

function writeHalf([path, data]: unknown[]): void {
  if (typeof data !== "string") return;
  writeFileSync(path as string, data.slice(0, data.length / 2));
}

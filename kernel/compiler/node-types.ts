import vm from "node:vm";

/**
 * Reading all of Node's types takes half of the time until the first cell can run. A cell that uses nothing of Node
 * but the console is checked without most of them; they are read afterwards, or when a cell first needs them.
 */
export const coreNodeFiles =
  /^(index|globals|globals\.typedarray|buffer\.buffer|console|timers)\.d\.ts$|^compatibility\//;

/** Whether these names, all that a cell mentions, mean the same without most of Node's types. */
export function isSimple(mentioned: Iterable<string>, isDeclared: (name: string) => boolean): boolean {
  for (const name of mentioned) if (!isDeclared(name) && !standard.has(name)) return false;
  return true;
}

const standard = new Set<string>([
  ...(vm.runInNewContext("Object.getOwnPropertyNames(globalThis)") as string[]),
  ...["console", "setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "notebook"],
]);

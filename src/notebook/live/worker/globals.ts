/** What Node has as globals. A module of its own, since it must come before those that use them. */
import { Buffer } from "buffer/";
import { process } from "../node/process.js";
import { clearImmediate, immediate } from "../node/timers.js";

/** Node's timers are objects. As a number, which is how the browser's own functions read it, this one is the id. */
class Timeout {
  constructor(private readonly id: number) {}
  ref = () => this;
  unref = () => this;
  hasRef = () => true;
  [Symbol.toPrimitive] = () => this.id;
}

type Start = (callback: () => void, milliseconds?: number, ...parameters: unknown[]) => number;

const asNode =
  (start: Start) =>
  (...parameters: Parameters<Start>): Timeout =>
    new Timeout(start(...parameters));

Object.assign(globalThis, {
  Buffer,
  process,
  global: globalThis,
  setTimeout: asNode(globalThis.setTimeout as unknown as Start),
  setInterval: asNode(globalThis.setInterval as unknown as Start),
  setImmediate: immediate,
  clearImmediate,
});

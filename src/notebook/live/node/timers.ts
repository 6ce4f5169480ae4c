/** `setImmediate` and `node:timers/promises` of the page. A message channel is not slowed down as timers are. */
const channel = new MessageChannel();
const waiting = new Map<number, () => void>();
let latest = 0;
channel.port1.onmessage = ({ data }: MessageEvent<number>) => {
  const callback = waiting.get(data);
  waiting.delete(data);
  callback?.();
};

export function immediate(callback: (...parameters: unknown[]) => void, ...parameters: unknown[]): number {
  waiting.set(++latest, () => callback(...parameters));
  channel.port2.postMessage(latest);
  return latest;
}

export function clearImmediate(id: number): void {
  waiting.delete(id);
}

export function setImmediate<T>(value?: T): Promise<T | undefined> {
  return new Promise((resolve) => immediate(() => resolve(value)));
}

export function setTimeout<T>(milliseconds: number, value?: T): Promise<T | undefined> {
  return new Promise((resolve) => globalThis.setTimeout(() => resolve(value), milliseconds));
}

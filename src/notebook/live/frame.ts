/**
 * The sandboxed frame between the page and the worker: of an origin of its own, so that the worker can reach neither the
 * page nor its storage, and with a policy that forbids every request. It runs no code of the notebook.
 */
let worker: Worker | undefined;

addEventListener("message", ({ source, data, ports: [port] }: MessageEvent<{ worker: ArrayBuffer } | "end">) => {
  if (source !== parent) return;
  worker?.terminate();
  if (data === "end" || !port) return;
  const url = URL.createObjectURL(new Blob([data.worker], { type: "text/javascript" }));
  worker = new Worker(url);
  worker.onerror = (event) => parent.postMessage({ failed: event.message ?? "" }, "*");
  worker.postMessage(null, [port]);
});
parent.postMessage("loaded", "*");

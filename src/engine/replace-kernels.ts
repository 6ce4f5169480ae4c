import * as tf from "@tensorflow/tfjs";

/** Makes a kernel out of the one that the backend brings. */
export type Replace = (original: tf.KernelFunc) => tf.KernelFunc;

const done = new Set<string>();

/** Registers our kernels over those of a backend; tfjs's registry is global, so once for each backend is enough. */
export function replaceKernels(backendName: string, replacements: Record<string, Replace>): void {
  if (done.has(backendName)) return;
  done.add(backendName);
  for (const [kernelName, replace] of Object.entries(replacements)) {
    const stock = tf.getKernel(kernelName, backendName);
    // Unregistered first: registering over a kernel warns.
    if (stock) tf.unregisterKernel(kernelName, backendName);
    const missing: tf.KernelFunc = () => {
      throw new Error(`the backend ${backendName} has no kernel ${kernelName}`);
    };
    tf.registerKernel({
      ...stock,
      kernelName,
      backendName,
      kernelFunc: replace(stock?.kernelFunc ?? missing),
    });
  }
}

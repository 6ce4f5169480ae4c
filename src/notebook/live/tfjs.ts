/** `@tensorflow/tfjs` of the page: without converters, data loaders and other backends than WebAssembly. */
export * from "@tensorflow/tfjs-core";
export * from "@tensorflow/tfjs-layers";

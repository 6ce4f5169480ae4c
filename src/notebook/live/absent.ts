/** Stands for the engines and downloads that a page cannot have. */
import { EngineUnavailableError } from "../../engine/errors.js";
import { refuse } from "./node/errors.js";

const rung = {
  start() {
    throw new EngineUnavailableError("it does not run in a browser");
  },
};

export { rung as onnxRung, rung as tfjsNodeGpuRung, rung as tfjsNodeRung };

export const createSharedBackend = refuse("SharedArrayBuffer");
export const downloadFile = refuse("huggingface.co");
export const listFiles = downloadFile;
export const modelInfo = downloadFile;
export const SingleBar = refuse("cli-progress");
export const wasmWorkerContents = "";
export default refuse("SharedArrayBuffer");

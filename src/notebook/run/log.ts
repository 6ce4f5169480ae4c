/** The output of cells as lines of JSON, in the form of Kaggle's logs. */
import { appendFileSync, writeFileSync } from "node:fs";
import { bundleToText } from "../mime.js";
import type { OutputEvent } from "./recorder.js";

export function jsonLog(path: string): (event: OutputEvent) => void {
  writeFileSync(path, "");
  const began = performance.now();
  return ({ output, text, update }) => {
    if (!output || update) return;
    const stream_name =
      output.output_type === "stream" ? output.name : output.output_type === "error" ? "stderr" : "stdout";
    const data =
      output.output_type === "error"
        ? `${output.traceback.join("\n")}\n`
        : "data" in output
          ? `${bundleToText(output.data)}\n`
          : (text ?? "");
    const time = Math.round(performance.now() - began) / 1000;
    appendFileSync(path, `${JSON.stringify({ stream_name, time, data })}\n`);
  };
}

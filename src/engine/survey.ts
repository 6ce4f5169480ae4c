import { rungNames, startRung } from "./ladder.js";
import type { Engine, EngineOptions } from "./types.js";

/** Whether one engine starts here: its description when it does, the reason when it does not. */
export interface SurveyRow {
  name: Engine["name"];
  starts: boolean;
  detail: string;
}

/** Tries every engine, best first. Afterwards any of them may be TensorFlow.js's current one: choose with `useEngine`. */
export async function surveyEngines(options: EngineOptions = {}): Promise<SurveyRow[]> {
  const rows: SurveyRow[] = [];
  for (const name of rungNames) {
    // Both packages register the same backend; loading the second over the first breaks it.
    if (name === "tfjs-node" && rows.some((row) => row.name === "tfjs-node-gpu" && row.starts)) continue;
    try {
      rows.push({ name, starts: true, detail: (await startRung(name, options)).description });
    } catch (error) {
      rows.push({ name, starts: false, detail: error instanceof Error ? error.message : String(error) });
    }
  }
  return rows;
}

/** `npm start`: sets the clone up and runs the tutorial notebook headless; arguments go on to `kaisetsu run`. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root, setup } from "./setup.js";

setup({ check: false });
const { status } = spawnSync(
  process.execPath,
  [
    join(root, "dist/src/cli/main.js"),
    "run",
    "notebooks/socratic-training.ipynb",
    "-o",
    "runs/socratic/socratic-training.ipynb",
    "--html",
    "runs/socratic/socratic-training.html",
    "--live-html",
    "runs/socratic/socratic-training-live.html",
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: "inherit" },
);
process.exit(status ?? 1);

/** Locks the folder named, says so, and waits: for a kill, or for as many milliseconds as the second argument says. */
import { lockOutputDir } from "../../src/checkpoint/lock.js";

try {
  const release = lockOutputDir(process.argv[2]!);
  console.log("locked");
  const wait = Number(process.argv[3] ?? 60_000);
  setTimeout(release, wait);
} catch (error) {
  console.log((error as Error).name);
}

/**
 * Torture: `node dist/test/torture/torture.js --rounds 500 [--kinds kill,damage,…] [--seed 1] [--jobs 2]`.
 * `--rounds` counts SIGKILLs for `kill` and rounds for the others. Prints what it did, and stops with exit code 1 at the
 * first broken promise, keeping the folder.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { damageRound } from "./damage.js";
import { Random } from "./random.js";
import { canMount, fullDiskRound, killRound, signalRound, undisturbed, unfinished } from "./rounds.js";
import { settingsRound } from "./settings-round.js";
import type { Report } from "./train.js";
import { crowdRound, fewFilesRound, nanRound, readOnlyRound, secondSignalRound, vanishedRound } from "./trouble.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    kinds: { type: "string", default: "all" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: "1" },
  },
});

/** @returns what to count it for, if not for one, or what to print of it */
type Round = (dir: string, random: Random, expected: Report, source: string) => Promise<unknown>;

const kinds: Record<string, Round> = {
  kill: killRound,
  signal: signalRound,
  second: secondSignalRound,
  settings: settingsRound,
  nan: nanRound,
  damage: (dir, random, expected, source) => damageRound(source, dir, random, expected),
  crowd: crowdRound,
  files: fewFilesRound,
  vanished: vanishedRound,
  readonly: readOnlyRound,
  disk: fullDiskRound,
};
const mounting = ["readonly", "disk"];

const root = mkdtempSync(join(tmpdir(), "kaisetsu-torture-"));
const started = performance.now();
const tally: Record<string, number> = {};
let failed = false;

async function main(): Promise<void> {
  const expected = await undisturbed(join(root, "undisturbed"));
  const source = join(root, "unfinished");
  await unfinished(source, 9);
  const rounds = Number(values.rounds);
  for (const kind of values.kinds === "all" ? Object.keys(kinds) : values.kinds.split(",")) {
    if (!kinds[kind]) throw new Error(`unknown kind ${kind}; there are ${Object.keys(kinds).join(", ")}`);
    if (mounting.includes(kind) && !canMount(join(root, "probe"))) {
      console.log(`${kind}: left out, this process may not mount a file system`);
      continue;
    }
    let number = 0;
    const worker = async () => {
      while (!failed && (tally[kind] ?? 0) < rounds) {
        const seed = Number(values.seed) * 1_000_003 + number++;
        await round(kind, seed, source, expected);
      }
    };
    await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
    console.log(
      `${kind}: ${tally[kind] ?? 0} in ${((performance.now() - started) / 1000).toFixed(0)} s, all promises kept`,
    );
  }
}

async function round(kind: string, seed: number, source: string, expected: Report) {
  const dir = join(root, `${kind}-${seed}`);
  const random = new Random(seed);
  let count = 1;
  try {
    const made = await kinds[kind]!(dir, random, expected, source);
    if (typeof made === "number") count = made;
    if (typeof made === "string") console.log(made);
  } catch (error) {
    failed = true;
    console.error(`${kind} round with seed ${seed} broke a promise; its folder is ${dir}`);
    throw error;
  }
  tally[kind] = (tally[kind] ?? 0) + count;
  console.log(`${kind} ${seed}: ok, ${tally[kind]} of ${values.rounds}`);
  tally[`${kind} runs`] = (tally[`${kind} runs`] ?? 0) + 1;
  rmSync(dir, { recursive: true, force: true });
}

main().then(
  () => {
    rmSync(root, { recursive: true, force: true });
    console.log(JSON.stringify(tally));
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

/**
 * Torture: `node dist/test/torture/torture.js --rounds 500 [--kinds kill,signal,settings,damage,disk] [--seed 1] [--jobs 2]`.
 * `--rounds` counts SIGKILLs for `kill` and rounds for the others. Prints what it did, and stops with exit code 1 at the
 * first broken promise, keeping the folder.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Random } from "./random.js";
import { canMount, damageRound, fullDiskRound, killRound, signalRound, undisturbed, unfinished } from "./rounds.js";
import { settingsRound } from "./settings-round.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    kinds: { type: "string", default: "kill,signal,settings,damage,disk" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: "1" },
  },
});

const root = mkdtempSync(join(tmpdir(), "kaisetsu-torture-"));
const started = performance.now();
const tally: Record<string, number> = {};
let failed = false;

async function main(): Promise<void> {
  const expected = await undisturbed(join(root, "undisturbed"));
  const source = join(root, "unfinished");
  await unfinished(source, 9);
  const rounds = Number(values.rounds);
  for (const kind of values.kinds.split(",")) {
    if (kind === "disk" && !canMount(join(root, "probe"))) {
      console.log("disk: left out, this process may not mount a file system");
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

async function round(kind: string, seed: number, source: string, expected: Awaited<ReturnType<typeof undisturbed>>) {
  const dir = join(root, `${kind}-${seed}`);
  const random = new Random(seed);
  let count = 1;
  try {
    if (kind === "kill") count = await killRound(dir, random, expected);
    else if (kind === "signal") await signalRound(dir, random, expected);
    else if (kind === "damage") await damageRound(source, dir, random, expected);
    else if (kind === "settings") console.log(await settingsRound(dir, random));
    else if (kind === "disk") await fullDiskRound(dir, random, expected);
    else throw new Error(`unknown kind ${kind}`);
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

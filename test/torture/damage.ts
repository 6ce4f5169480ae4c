/** Rounds with damaged checkpoints: seen, named, kept as they are, passed over. */
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { findNewestCheckpoint, inspectCheckpoint, listCheckpoints } from "../../src/checkpoint/find.js";
import { manifestName } from "../../src/checkpoint/manifest.js";
import { startTraining } from "./process.js";
import type { Random } from "./random.js";
import { assertEqualRun, resumedStep, settings } from "./rounds.js";
import type { Report } from "./train.js";

/**
 * Damages the newest checkpoint of an unfinished run at random. It must be seen, named, kept as it is, and passed over.
 * @param source an `output_dir` whose run was stopped; it is copied
 */
export async function damageRound(source: string, dir: string, random: Random, expected: Report): Promise<string> {
  cpSync(source, dir, { recursive: true });
  addStrangers(dir);
  const [newest, older] = await listCheckpoints(dir);
  const what = await damage(newest!.dir, random);
  const before = contents(newest!.dir);
  const { state, reason } = await inspectCheckpoint(newest!.dir);
  assert.equal(state, "damaged", `${what} was not seen`);
  assert.ok(reason.length > 5);
  const ended = await startTraining({ ...settings, output_dir: dir }).ended;
  assert.equal(ended.code, 0, `${what}: ${ended.stderr}`);
  assert.match(ended.stderr, new RegExp(`Passed over and kept: .*${basename(newest!.dir)}: `), what);
  assert.equal(resumedStep(ended.report!), older!.step, what);
  assertEqualRun(ended, expected);
  const kept = readdirSync(dir).filter((name) => name.startsWith(`kept-${basename(newest!.dir)}-`));
  const place = [...kept, basename(newest!.dir)].find(
    (name) => existsSync(join(dir, name)) && contents(join(dir, name)) === before,
  );
  assert.ok(place, `${what}: the damaged checkpoint is gone or changed`);
  return what;
}

/** As `damageRound`, without training on: the checkpoint before is chosen, nothing is deleted. Quick. */
export async function seenDamageRound(source: string, dir: string, random: Random): Promise<string> {
  cpSync(source, dir, { recursive: true });
  addStrangers(dir);
  const [newest, older] = await listCheckpoints(dir);
  const what = await damage(newest!.dir, random);
  const before = contents(newest!.dir);
  const { checkpoint, skipped } = await findNewestCheckpoint(dir);
  assert.equal(checkpoint?.dir, older!.dir, what);
  assert.deepEqual(
    skipped.map((one) => one.dir),
    [newest!.dir],
    what,
  );
  assert.ok(skipped[0]!.reason.length > 5, `${what}: ${skipped[0]!.reason}`);
  assert.equal(contents(newest!.dir), before, what);
  rmSync(dir, { recursive: true });
  return what;
}

async function damage(checkpoint: string, random: Random): Promise<string> {
  // These are the same from one checkpoint to the next, so that taking them from another is no damage.
  const alike = /tokenizer|chat_template|adapter_config|training_args|rng_state/;
  const names = readdirSync(checkpoint)
    .filter((one) => one !== notes)
    .sort();
  const name = random.pick(names);
  const path = join(checkpoint, name);
  const bytes = readFileSync(path);
  const other = join(dirname(checkpoint), basename((await listCheckpoints(dirname(checkpoint)))[1]!.dir));
  const inManifest = (change: (manifest: ManifestJson) => void) => {
    const manifest: ManifestJson = JSON.parse(readFileSync(join(checkpoint, manifestName), "utf8"));
    change(manifest);
    writeFileSync(join(checkpoint, manifestName), JSON.stringify(manifest, null, 2));
  };
  const anyEntry = ({ files }: ManifestJson) => files[random.pick(Object.keys(files))]!;
  const kinds = {
    "cut short": () => truncateSync(path, random.upTo(bytes.length)),
    emptied: () => truncateSync(path, 0),
    removed: () => rmSync(path),
    "with a flipped bit": () => {
      bytes[random.upTo(bytes.length)]! ^= 1 << random.upTo(8);
      writeFileSync(path, bytes);
    },
    "overwritten with zeros": () => writeFileSync(path, Buffer.alloc(bytes.length)),
    "longer than before": () => writeFileSync(path, Buffer.concat([bytes, Buffer.from("x")])),
    "replaced by other JSON": () => writeFileSync(path, '{"epoch": NaN, "global_step": null}'),
    "with NaN in place of a number": () => {
      const text = bytes.toString("latin1");
      writeFileSync(path, /\d/.test(text) ? text.replace(/-?\d+(\.\d+)?/, "NaN") : "NaN", "latin1");
    },
    "with a huge number": () => {
      writeFileSync(path, bytes.toString("latin1").replace(/\d|$/, "1e999"), "latin1");
    },
    "with a key twice": () => writeFileSync(path, bytes.toString("latin1").replace("{", '{"epoch": 0, '), "latin1"),
    "a link to itself": () => {
      rmSync(path);
      symlinkSync(name, path);
    },
    "a link to nowhere": () => {
      rmSync(path);
      symlinkSync("/nowhere/at/all", path);
    },
    "taken from another checkpoint": () => {
      if (alike.test(name)) truncateSync(path, 0);
      else writeFileSync(path, readFileSync(join(other, name)));
    },
    "left out of the manifest": () =>
      inManifest(({ files }) => delete files[name === manifestName ? "trainer_state.json" : name]),
    "another size in the manifest": () =>
      inManifest((manifest) => {
        anyEntry(manifest).size = random.pick([-1, 0, 1e300, null, "12", []]);
      }),
    "another hash in the manifest": () =>
      inManifest((manifest) => {
        anyEntry(manifest).sha256 = random.pick(["", "0".repeat(64), 7, null]);
      }),
    "listed with a file that is not there": () =>
      inManifest(({ files }) => {
        files[random.pick(["more.bin", "../escape", "/etc/hostname"])] = { size: 1, sha256: "00" };
      }),
    "of another run in the manifest": () => inManifest((manifest) => Object.assign(manifest, { run_id: "another" })),
    "of another step in the manifest": () => inManifest((manifest) => Object.assign(manifest, { global_step: 12 })),
    "renamed from another step": () => {
      rmSync(checkpoint, { recursive: true });
      cpSync(other, checkpoint, { recursive: true });
    },
    "made a folder": () => {
      rmSync(path);
      mkdirSync(path);
    },
  };
  const kind = random.pick(Object.keys(kinds) as (keyof typeof kinds)[]);
  kinds[kind]();
  return `${name} ${kind}`;
}

const notes = "notes.txt";

interface ManifestJson {
  files: Record<string, Record<string, unknown>>;
}

/** What is no checkpoint, and must neither be taken for one nor be touched. */
function addStrangers(outputDir: string): void {
  for (const name of [
    "checkpoint-0099",
    "checkpoint-1e3",
    "checkpoint-best",
    "checkpoint--5",
    "checkpoint-98 (copy)",
  ]) {
    mkdirSync(join(outputDir, name));
  }
  writeFileSync(join(outputDir, "checkpoint-97"), "a file");
  for (const name of readdirSync(outputDir).filter((one) => /^checkpoint-\d$/.test(one))) {
    writeFileSync(join(outputDir, name, notes), "a file of somebody's own");
  }
}

function contents(dir: string): string {
  const entries = readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return JSON.stringify(
    entries.map((entry) => [
      entry.name,
      entry.isSymbolicLink() ? readlinkSync(join(dir, entry.name)) : null,
      entry.isFile() ? readFileSync(join(dir, entry.name), "base64") : null,
    ]),
  );
}

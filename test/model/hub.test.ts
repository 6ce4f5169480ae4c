import assert from "node:assert/strict";
import { cpSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { AutoModelForCausalLM, AutoTokenizer, type ModelConfig, useEngine } from "../../src/index.js";
import { type FakeHub, fakeHub } from "./fake-hub.js";
import { figures, scratchFolder } from "./reference.js";

const ID = "someone/tiny-model";
const COMMIT = "c0ffee".padEnd(40, "0");
const names = ["HF_ENDPOINT", "HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"];
const environment = Object.fromEntries(names.map((name) => [name, process.env[name]]));

let hub: FakeHub;
let cache: string;

before(async () => {
  await useEngine("auto");
  // One megabyte and more: smaller files come in one piece.
  const folder = scratchFolder();
  cpSync(figures("tiny-gemma2"), folder, { recursive: true });
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as ModelConfig;
  const model = AutoModelForCausalLM.fromConfig({ ...config, intermediate_size: 1024 }, { seed: 1 });
  await model.savePretrained(folder);
  model.dispose();
  writeFileSync(join(folder, "pytorch_model.bin"), "another format");
  writeFileSync(join(folder, "README.md"), "not needed");
  hub = await fakeHub(ID, folder, "hf_secret");
});
beforeEach(() => {
  cache = scratchFolder();
  Object.assign(process.env, {
    HF_ENDPOINT: hub.url,
    HF_HUB_CACHE: cache,
    HF_TOKEN: "hf_secret",
    HF_TOKEN_PATH: "/none",
  });
  delete process.env.HF_HUB_OFFLINE;
  hub.requests.length = 0;
});
after(async () => {
  await hub.close();
  for (const name of names) {
    if (environment[name] === undefined) delete process.env[name];
    else process.env[name] = environment[name];
  }
});

const load = async (options = {}) => {
  const model = await AutoModelForCausalLM.fromPretrained(ID, options);
  const { name_or_path } = model;
  model.dispose();
  return name_or_path;
};
const blobs = () => readdirSync(join(cache, "models--someone--tiny-model", "blobs"));

test("a hub id is downloaded into the cache that Python shares, once, and only what is needed", async () => {
  assert.equal(await load(), ID);
  const snapshot = join(cache, "models--someone--tiny-model", "snapshots", COMMIT);
  const got = readdirSync(snapshot).sort();
  assert.ok(got.includes("model.safetensors") && got.includes("tokenizer.json") && got.includes("chat_template.jinja"));
  assert.ok(!got.includes("pytorch_model.bin") && !got.includes("README.md"));
  assert.ok(lstatSync(join(snapshot, "model.safetensors")).isSymbolicLink());
  assert.equal(readFileSync(join(cache, "models--someone--tiny-model", "refs", "main"), "utf8"), COMMIT);
  const count = hub.requests.length;
  await load();
  assert.equal(hub.requests.length, count, "nothing is downloaded twice");
  const tokenizer = await AutoTokenizer.fromPretrained(ID);
  assert.equal(tokenizer.pad_token_id, 0);
});

test("a broken transfer goes on where it stopped", async () => {
  hub.cut.set("model.safetensors", 1_200_000);
  await load();
  const [first, second] = hub.requests.filter((request) => request.startsWith("model.safetensors"));
  assert.equal(first, "model.safetensors 0");
  const from = Number(second!.split(" ")[1]);
  assert.ok(from > 0 && from <= 1_200_000, `resumed at ${from}`);
  assert.ok(blobs().every((name) => !name.endsWith(".incomplete")));
});

test("damaged bytes are noticed", async () => {
  hub.cut.set("model.safetensors", 0);
  await load();
  const blob = join(cache, "models--someone--tiny-model", "blobs", blobs().find((name) => name.length === 64)!);
  const bytes = readFileSync(blob);
  rmSync(blob);
  rmSync(join(cache, "models--someone--tiny-model", "snapshots"), { recursive: true });
  bytes[1000]! ^= 1;
  writeFileSync(`${blob}.incomplete`, bytes.subarray(0, 500_000));
  await assert.rejects(load(), /model\.safetensors: what was downloaded has another hash/);
  await load();
});

test("offline the cache serves, and says when it cannot", async (t) => {
  await assert.rejects(load({ local_files_only: true }), /is not in the Hugging Face cache .* switched off/);
  await load();
  process.env.HF_HUB_OFFLINE = "1";
  process.env.HF_ENDPOINT = "http://127.0.0.1:9";
  assert.equal(await load(), ID);
  delete process.env.HF_HUB_OFFLINE;
  const warn = t.mock.method(console, "warn", () => {});
  assert.equal(await load(), ID);
  assert.match(String(warn.mock.calls[0]!.arguments[0]), /the hub cannot be reached .*using the cache/);
});

test("a gated or unknown model, and no connection, are explained", async () => {
  process.env.HF_TOKEN = "hf_stranger";
  await assert.rejects(
    load(),
    /403 \(.*not in the authorized list.*Accept its terms at http.*someone\/tiny-model with/,
  );
  await assert.rejects(AutoModelForCausalLM.fromPretrained("no/such"), /no\/such \(revision main\) does not exist/);
  delete process.env.HF_TOKEN;
  await assert.rejects(load(), /401 \(.*Please log in.*accept its terms .* set HF_TOKEN/);
  await assert.rejects(
    AutoModelForCausalLM.fromPretrained("no/such"),
    /private, gated, or does not exist: see .*no\/such/,
  );
  process.env.HF_ENDPOINT = "http://127.0.0.1:9";
  await assert.rejects(load(), /cannot be downloaded: .*Try again: what has come is kept/);
  await assert.rejects(AutoModelForCausalLM.fromPretrained("./no/such"), /there is no model folder \.\/no\/such/);
});

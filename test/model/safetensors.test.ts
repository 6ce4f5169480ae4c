import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { floatToBfloat, floatToHalf, halfToFloat, roundTo } from "../../src/model/dtype.js";
import {
  readSafetensors,
  SafetensorsFile,
  type TensorToWrite,
  writeSafetensors,
} from "../../src/model/files/safetensors.js";
import { figures, scratchFolder } from "./reference.js";

test("a file that is read and written again is the same, byte for byte", async () => {
  const dir = scratchFolder();
  for (const name of ["forward-right", "nf4", "merged-adapter-random"]) {
    const source = figures(`${name}.safetensors`);
    const file = await SafetensorsFile.open(source);
    const tensors = new Map<string, TensorToWrite>();
    for (const [key, { dtype, shape }] of file.tensors) {
      tensors.set(key, { dtype, shape, values: async () => (await file.read(key)).values });
    }
    const copy = join(dir, "copy.safetensors");
    await writeSafetensors(copy, tensors, file.metadata);
    await file.close();
    assert.ok(readFileSync(copy).equals(readFileSync(source)), name);
  }
  assert.deepEqual(readdirSync(dir), ["copy.safetensors"]);
});

test("half types keep what they can hold and round to nearest even", async () => {
  const path = join(scratchFolder(), "halves.safetensors");
  const values = Float32Array.from([0, -0, 1, 0.1, 65504, 1e-7, 6.1e-5, Number.POSITIVE_INFINITY, -3.5]);
  const shape = [3, 3];
  await writeSafetensors(
    path,
    new Map<string, TensorToWrite>([
      ["b", { dtype: "BF16", shape, values }],
      ["h", { dtype: "F16", shape, values }],
      ["i", { dtype: "I64", shape: [2], values: Int32Array.from([-1, 7]) }],
    ]),
  );
  const back = await readSafetensors(path);
  assert.deepEqual(
    [...back.get("b")!.values].map((v) => v.toPrecision(6)),
    [...values].map((v) => roundTo(v, "bfloat16").toPrecision(6)),
  );
  assert.equal(back.get("b")!.values[3], 0.10009765625);
  assert.equal(back.get("h")!.values[3], 0.0999755859375);
  assert.equal(back.get("h")!.values[4], 65504);
  assert.equal(back.get("h")!.values[5], 2 ** -23);
  assert.equal(back.get("h")!.values[7], Number.POSITIVE_INFINITY);
  assert.deepEqual([...back.get("i")!.values], [-1, 7]);
  // Ties: 1 + 2^-11 lies between two halves and goes to the even one; every half survives the way there and back.
  assert.equal(floatToHalf(1 + 2 ** -11), floatToHalf(1));
  assert.equal(floatToHalf(1 + 3 * 2 ** -11), floatToHalf(1) + 2);
  assert.equal(floatToBfloat(1 + 2 ** -8), floatToBfloat(1));
  for (let bits = 0; bits < 0x7c00; bits++) assert.equal(floatToHalf(halfToFloat(bits)), bits);
});

test("malformed files are refused with the reason", async () => {
  const dir = scratchFolder();
  const write = (header: unknown, data: Buffer, length?: bigint) => {
    const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(length ?? BigInt(json.length));
    const path = join(dir, "bad.safetensors");
    writeFileSync(path, Buffer.concat([prefix, json, data]));
    return SafetensorsFile.open(path);
  };
  const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
    dtype: "F32",
    shape,
    data_offsets: [begin, end],
  });
  const refused = (promise: Promise<unknown>, reason: RegExp) =>
    assert.rejects(promise, (error: Error) => error.name === "SafetensorsError" && reason.test(error.message));
  const eight = Buffer.alloc(8);
  await refused(write({}, eight, 10n ** 12n), /limit 100 MB/);
  await refused(write({ a: f32(0, 8) }, eight, 5000n), /claims 5000 bytes but the file has only/);
  await refused(write("[]", eight), /does not start with/);
  await refused(write('{"a":', eight), /not UTF-8 JSON/);
  await refused(write({ a: f32(0, 4) }, eight), /take 4 bytes but the file holds 8/);
  await refused(write({ a: f32(0, 4), b: f32(0, 8) }, eight), /b starts at byte 0 of the data, expected 4/);
  await refused(write({ a: f32(4, 8) }, eight), /expected 0 \(a hole or an overlap\)/);
  await refused(write({ a: f32(0, 8, [3]) }, eight), /needs 12 bytes but spans 8/);
  await refused(write({ a: { ...f32(0, 8), dtype: "F31" } }, eight), /unknown dtype F31/);
  await refused(write({ a: { ...f32(0, 8), shape: [-2] } }, eight), /malformed shape/);
  await refused(write({ __metadata__: { a: 1 }, a: f32(0, 8) }, eight), /__metadata__/);
  const twice = JSON.stringify(f32(0, 8));
  await refused(write(`{"a":${twice},"\\u0061":${twice}}`, eight), /names a twice/);
  writeFileSync(join(dir, "short.safetensors"), "abc");
  await refused(SafetensorsFile.open(join(dir, "short.safetensors")), /fewer than the 8/);
});

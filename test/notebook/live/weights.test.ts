import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSafetensors } from "../../../src/model/files/safetensors.js";
import { dequantize4bit, quantize4bit } from "../../../src/model/four-bit/four-bit.js";
import { packArchive, unpackArchive } from "../../../src/notebook/live/archive.js";
import { decodeBase91, encodeBase91 } from "../../../src/notebook/live/base91.js";
import { packWeights, unpackFile } from "../../../src/notebook/live/weights.js";

const model = fileURLToPath(new URL("../../../../notebooks/models/kotoba-gemma2/model.safetensors", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "kaisetsu-live-"));
after(() => rmSync(scratch, { recursive: true }));

test("bytes survive the text of a page, whatever their number", () => {
  for (const length of [0, 1, 2, 3, 4, 5, 255, 4097]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 197 + 255) % 256);
    const text = encodeBase91(bytes);
    assert.doesNotMatch(text, /[<"\\\n]/);
    assert.deepEqual(decodeBase91(text), bytes);
  }
  const files = new Map([
    ["empty", new Uint8Array()],
    ["データ/x", Uint8Array.of(1, 2, 3)],
  ]);
  assert.deepEqual(unpackArchive(new Uint8Array(packArchive(files))), files);
});

test("packed weights give the same 4-bit codes as the original, and embeddings near them", async () => {
  const source = readFileSync(model);
  const [name, packed] = packWeights("models/model.safetensors", source);
  assert.ok(packed.length < source.length / 3, `${packed.length} of ${source.length} bytes`);
  const [path, file] = unpackFile(name, new Uint8Array(packed));
  assert.equal(path, "models/model.safetensors");
  assert.equal(file.length, source.length);
  const copy = join(scratch, "model.safetensors");
  writeFileSync(copy, file);
  const [before, after] = [await readSafetensors(model), await readSafetensors(copy)];
  assert.deepEqual([...after.keys()], [...before.keys()]);
  for (const [tensor, { values, shape }] of before) {
    const now = Float32Array.from(after.get(tensor)!.values);
    const then = Float32Array.from(values);
    if (shape.length < 2) assert.deepEqual(now, then, tensor);
    else if (tensor.includes("embed")) assert.ok(largestDifference(now, then) < 0.02, tensor);
    else {
      const options = { type: "nf4", double: true } as const;
      assert.deepEqual(quantize4bit(now, shape, options), quantize4bit(then, shape, options), tensor);
      const rounded = dequantize4bit(quantize4bit(then, shape, { type: "nf4", double: false }));
      assert.ok(largestDifference(now, rounded) < 0.005, tensor);
    }
  }
});

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

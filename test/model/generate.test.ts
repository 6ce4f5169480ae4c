import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { AutoModelForCausalLM, PeftModel, useEngine } from "../../src/index.js";
import { pickToken } from "../../src/model/generation/sampling.js";
import { figures, withoutLeaks } from "./reference.js";

before(() => useEngine("auto"));

const load = () => AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2"));
const greedy = JSON.parse(readFileSync(figures("generate-greedy.json"), "utf8")) as {
  prompt: number[];
  output: number[];
  max_new_tokens: number;
};

for (const engine of ["wasm", "onnx"] as const) {
  test(`greedy generation continues as transformers does, on ${engine}`, async () => {
    await useEngine(engine);
    await withoutLeaks(async () => {
      const model = await load();
      const { max_new_tokens } = greedy;
      const streamed: number[] = [];
      const output = await model.generate(greedy.prompt, { max_new_tokens, on_token: (id) => streamed.push(id) });
      assert.deepEqual(output, greedy.output);
      assert.deepEqual(streamed, greedy.output.slice(greedy.prompt.length));
      model.dispose();
    });
  });
}

for (const engine of ["wasm", "onnx"] as const) {
  test(`several prompts at once continue as each alone, on ${engine}`, async () => {
    await useEngine(engine);
    await withoutLeaks(async () => {
      const model = await load();
      const long = Array.from({ length: 110 }, (_, i) => 6 + ((i * 37) % 200));
      const prompts = [greedy.prompt, long, [2, 4, 14]];
      const stop = { eos_token_id: [73] };
      for (const options of [{}, { do_sample: true, temperature: 2, seed: 3 }]) {
        const streamed: number[][] = prompts.map(() => []);
        const on_token = (id: number, row: number) => streamed[row]!.push(id);
        // Beyond the newest tokens' own room, and beyond a bucket of the cache.
        const outputs = await model.generate(prompts, { max_new_tokens: 40, ...stop, ...options, on_token });
        assert.deepEqual(
          outputs,
          prompts.map((prompt, row) => [...prompt, ...streamed[row]!]),
        );
        const alone = await model.generate(prompts[0]!, { max_new_tokens: 40, ...stop, ...options });
        assert.deepEqual(outputs[0], alone);
        if (options.do_sample) continue;
        for (const row of [1, 2]) {
          assert.deepEqual(outputs[row], await model.generate(prompts[row]!, { max_new_tokens: 40, ...stop }));
        }
      }
      model.dispose();
    });
  });
}

test("the cache gives what a whole forward pass gives, beyond the window and a cache bucket", async () => {
  await useEngine("auto");
  const model = await PeftModel.fromPretrained(await load(), figures("adapter-random"));
  const prompt = Array.from({ length: 125 }, (_, i) => 6 + ((i * 37) % 200));
  const output = await model.generate(prompt, { max_new_tokens: 20, repetition_penalty: 1.3 });
  let ids = [...prompt];
  for (let i = 0; i < 20; i++) {
    const input_ids = tf.tensor2d([ids], undefined, "int32");
    const attention_mask = tf.onesLike(input_ids);
    const logits = model.logits(model.trainableParameters(), { input_ids, attention_mask });
    const row = logits.dataSync().slice(-271) as Float32Array;
    const settings = { do_sample: false, temperature: 1, top_k: 0, top_p: 1, repetition_penalty: 1.3 };
    ids = [...ids, pickToken(row, ids, settings, () => 0)];
    tf.dispose([input_ids, attention_mask, logits]);
  }
  assert.deepEqual(output, ids);
  model.dispose();
});

test("sampling is repeatable by seed, and generation stops at a stop token", async () => {
  const model = await load();
  const sample = (seed: number) =>
    model.generate([2, 4, 14], { max_new_tokens: 6, do_sample: true, temperature: 5, top_k: 0, seed });
  assert.deepEqual(await sample(1), await sample(1));
  assert.notDeepEqual(await sample(1), await sample(2));
  const stopped = await model.generate(greedy.prompt, { max_new_tokens: 24, eos_token_id: [73] });
  assert.deepEqual(stopped, greedy.output.slice(0, greedy.output.indexOf(73) + 1));
  model.dispose();
});

test("an abort signal ends a generation", async () => {
  const model = await load();
  const control = new AbortController();
  const seen: number[] = [];
  const on_token = (id: number) => {
    seen.push(id);
    if (seen.length === 3) control.abort();
  };
  const run = model.generate(greedy.prompt, { max_new_tokens: 24, on_token, signal: control.signal });
  await assert.rejects(run, { name: "AbortError" });
  assert.equal(seen.length, 3);
  model.dispose();
});

test("wrong prompts and settings are refused", async () => {
  const model = await load();
  await assert.rejects(model.generate([]), /the prompt is empty/);
  await assert.rejects(model.generate([[2, 4], []]), /the prompt is empty/);
  await assert.rejects(model.generate([2, 271]), /input_ids\[1\] is 271, but the vocabulary has ids 0 to 270/);
  await assert.rejects(model.generate([2], { top_p: 0 }), /top_p must lie in \(0, 1\], got 0/);
  await assert.rejects(model.generate([2], { do_sample: true, temperature: 0 }), /temperature must be above 0/);
  model.dispose();
});

test("top-k, top-p and the repetition penalty choose as transformers' processors", () => {
  const settings = { do_sample: true, temperature: 1, top_k: 0, top_p: 1, repetition_penalty: 1 };
  const logits = () => Float32Array.from([Math.log(0.5), Math.log(0.3), Math.log(0.15), Math.log(0.05)]);
  const at = (random: number, changes: object = {}, previous: number[] = []) =>
    pickToken(logits(), previous, { ...settings, ...changes }, () => random);
  assert.deepEqual([at(0.1), at(0.6), at(0.9), at(0.97)], [0, 1, 2, 3]);
  assert.equal(at(0.97, { top_k: 2 }), 1);
  assert.equal(at(0.97, { top_p: 0.79 }), 1);
  assert.equal(at(0.97, { top_p: 0.81 }), 2);
  assert.equal(at(0, { repetition_penalty: 4 }, [0]), 1);
});

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import * as tf from "@tensorflow/tfjs";
import {
  AutoModelForCausalLM,
  BitsAndBytesConfig,
  type CausalLM,
  getPeftModel,
  LoraConfig,
  PeftModel,
  type PreTrainedModel,
  useEngine,
} from "../../src/index.js";
import {
  type HostTensor,
  readSafetensors,
  type TensorToWrite,
  writeSafetensors,
} from "../../src/model/files/safetensors.js";
import { dequantize4bit, quantize4bit } from "../../src/model/four-bit/four-bit.js";
import { figures, forwardFigures, relativeDifference, scratchFolder, values, withoutLeaks } from "./reference.js";

before(() => useEngine("auto"));

const nf4 = new BitsAndBytesConfig({
  load_in_4bit: true,
  bnb_4bit_quant_type: "nf4",
  bnb_4bit_use_double_quant: true,
  bnb_4bit_compute_dtype: "float16",
});
const load = (quantization_config?: BitsAndBytesConfig) =>
  AutoModelForCausalLM.fromPretrained(figures("tiny-gemma2"), { quantization_config });

/** The same base with every linear weight rounded through 4 bit, but held in float32. */
async function roundedBase() {
  const model = await load();
  for (const [name, tensor] of model.parameters()) {
    if (!/_proj\.weight$/.test(name)) continue;
    const weight = quantize4bit(values(tensor), tensor.shape, { type: "nf4", double: true });
    model.replaceParameters({ [name]: tf.tensor(dequantize4bit(weight), tensor.shape) });
  }
  return model;
}

test("QLoRA: loss and adapter gradients through a 4-bit base equal those through its decoded weights", async () => {
  await withoutLeaks(async () => {
    const { inputs } = await forwardFigures("forward-adapter-random");
    const step = (model: CausalLM, gradient_checkpointing: boolean) => {
      const params = model.trainableParameters();
      const names = Object.keys(params);
      return tf.valueAndGrads((...list: Tensor[]) =>
        model.lossSum(Object.fromEntries(names.map((name, i) => [name, list[i]!])), inputs, { gradient_checkpointing }),
      )(Object.values(params));
    };
    const quantized = await PeftModel.fromPretrained(await load(nf4), figures("adapter-random"));
    const plain = await PeftModel.fromPretrained(await roundedBase(), figures("adapter-random"));
    assert.equal(quantized.parameterCounts().total, plain.parameterCounts().total);
    const expected = step(plain, false);
    for (const gradient_checkpointing of [false, true]) {
      const actual = step(quantized, gradient_checkpointing);
      assert.ok(Math.abs(values(actual.value)[0]! - values(expected.value)[0]!) < 1e-3);
      actual.grads.forEach((gradient, i) => {
        assert.ok(relativeDifference(values(gradient), values(expected.grads[i]!)) < 1e-5);
      });
      tf.dispose([actual.value, ...actual.grads]);
    }
    tf.dispose([expected.value, ...expected.grads, ...Object.values(inputs)]);
    quantized.dispose();
    plain.dispose();
  });
});

test("a 4-bit base takes the memory of 4 bits, does not train, and can be merged into", async (t) => {
  await withoutLeaks(async () => {
    const bytes = () => tf.memory().numBytes;
    const start = bytes();
    const base = await load(nf4);
    // Embedding and norms stay float32; the layers' 147,456 weights take 4.127 bits each, and a scalar a matrix.
    const linear = 4 * (64 * 64 * 2 + 32 * 64 * 2 + 3 * 128 * 64);
    const rest = (271 + 4 * 4 + 1) * 64 * 4;
    const scales = linear / 64 + (linear / 64 / 256) * 4;
    assert.ok(bytes() - start <= rest + linear / 2 + scales + 28 * 8, `${bytes() - start} bytes`);
    assert.deepEqual(base.trainableParameters(), {});
    assert.throws(() => base.requiresGrad(true), /weights in 4 bit cannot train/);

    const model = await PeftModel.fromPretrained(base, figures("adapter-random"));
    const name = "model.layers.1.self_attn.v_proj";
    const params = model.trainableParameters();
    const expected = tf.tidy(() => {
      const [A, B] = ["A", "B"].map((x) => params[`base_model.model.${name}.lora_${x}.weight`] as Tensor2D);
      const sum = tf.add(base.materialize(`${name}.weight`), tf.mul(tf.matMul(B!, A!), 2));
      return dequantize4bit(quantize4bit(values(sum), sum.shape, { type: "nf4", double: true }));
    });
    const warn = t.mock.method(console, "warn", () => {});
    const merged = model.mergeAndUnload();
    assert.match(String(warn.mock.calls[0]!.arguments[0]), /rounds the adapter's changes to 4 bit/);
    const weight = merged.materialize(`${name}.weight`);
    assert.deepEqual(values(weight), expected);
    weight.dispose();
    merged.dispose();
  });
});

test("skipped modules stay in float32", async () => {
  const base = await load(new BitsAndBytesConfig({ ...nf4.fields, llm_int8_skip_modules: ["o_proj", "layers.0"] }));
  const kept = [...base.parameters().keys()].filter((name) => name.includes("_proj"));
  assert.equal(kept.length, 7 + 3);
  assert.ok(kept.every((name) => name.includes("o_proj") || name.includes("layers.0.")));
  base.dispose();
});

test("a model saved in 4 bit loads as it was, also by its own config", async () => {
  for (const double of [true, false]) {
    await withoutLeaks(async () => {
      const model = await load(new BitsAndBytesConfig({ ...nf4.fields, bnb_4bit_use_double_quant: double }));
      const dir = scratchFolder();
      await model.savePretrained(dir, { max_shard_size: "100KB" });
      assert.ok(readdirSync(dir).includes("model.safetensors.index.json"));
      const again = await AutoModelForCausalLM.fromPretrained(dir);
      assert.deepEqual(again.quantization_config?.toDict(), model.quantization_config?.toDict());
      for (const [name, matrix] of model.quantizedParameters()) {
        assert.deepEqual(await again.quantizedParameters().get(name)!.read(), await matrix.read(), name);
      }
      const { inputs } = await forwardFigures("forward-right");
      const [a, b] = [model.forward(inputs), again.forward(inputs)];
      assert.deepEqual(values(b.logits), values(a.logits));
      tf.dispose([a.logits, a.loss!, b.logits, b.loss!, ...Object.values(inputs)]);
      model.dispose();
      again.dispose();
    });
  }
});

test("broken 4-bit files are refused by name", async () => {
  const model = await load(nf4);
  const dir = scratchFolder();
  await model.savePretrained(dir);
  model.dispose();
  const path = join(dir, "model.safetensors");
  const original = await readSafetensors(path);
  const name = "model.layers.1.mlp.up_proj.weight";
  const refused = async (change: (tensors: Map<string, HostTensor>) => void, message: RegExp) => {
    const tensors = new Map(original);
    change(tensors);
    await writeSafetensors(path, tensors as Map<string, TensorToWrite>);
    await withoutLeaks(() => assert.rejects(AutoModelForCausalLM.fromPretrained(dir), message));
  };
  await refused((t) => t.delete(`${name}.absmax`), /up_proj\.weight in 4 bit: .*\.absmax is missing/);
  const table = original.get(`${name}.quant_map`)!;
  const wrong = { ...table, values: Float32Array.from(table.values, (x) => x / 2) };
  await refused((t) => t.set(`${name}.quant_map`, wrong), /its quant_map is not the usual one/);
  const state = `${name}.quant_state.bitsandbytes__nf4`;
  const bytes = Uint8Array.from(
    Buffer.from(
      Buffer.from(original.get(state)!.values as Uint8Array)
        .toString()
        .replace('"blocksize": 64', '"blocksize": 32'),
    ),
  );
  await refused((t) => t.set(state, { ...original.get(state)!, values: bytes }), /blocks of 32 are not supported/);
  await refused((t) => t.delete(state), /parameters that this model does not have: .*up_proj\.weight\.absmax/);
});

test("tables that the checkpoint has in 16 bits stay in 16 bits, and nothing else changes", async () => {
  await useEngine("onnx");
  const source = await load();
  for (const dtype of ["bfloat16", "float16"] as const) {
    await withoutLeaks(async () => {
      const dir = scratchFolder();
      await source.savePretrained(dir, { dtype });
      const narrow = await AutoModelForCausalLM.fromPretrained(dir, { quantization_config: nf4 });
      const wide = await AutoModelForCausalLM.fromPretrained(dir, { quantization_config: nf4 });
      const name = "model.embed_tokens.weight";
      wide.replaceParameters({ [name]: tf.add(wide.parameters().get(name)!, 0) });
      const { inputs } = await forwardFigures("forward-right");
      const step = (base: PreTrainedModel) => {
        const model = getPeftModel(
          base,
          new LoraConfig({ r: 2, target_modules: ["q_proj"], init_lora_weights: false }),
        );
        const params = model.trainableParameters();
        const names = Object.keys(params);
        const { value, grads } = tf.valueAndGrads((...list: Tensor[]) =>
          model.lossSum(Object.fromEntries(names.map((name, i) => [name, list[i]!])), inputs),
        )(Object.values(params));
        const { logits, loss } = model.forward(inputs);
        return { model, tensors: [value, logits, loss!, ...grads] };
      };
      const saved = scratchFolder();
      await narrow.savePretrained(saved);
      const [written, original] = [saved, dir].map((dir) => readSafetensors(join(dir, "model.safetensors")));
      assert.deepEqual((await written!).get(name), (await original!).get(name));
      const [a, b] = [step(narrow), step(wide)];
      for (const [i, tensor] of a.tensors.entries()) assert.deepEqual(values(tensor), values(b.tensors[i]!));
      tf.dispose([...a.tensors, ...b.tensors, ...Object.values(inputs)]);
      a.model.dispose();
      b.model.dispose();
    });
  }
  source.dispose();
});

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { modelInputs, useEngine } from "../../src/index.js";

const batch = () => ({
  input_ids: [
    [2, 5, 6],
    [2, 7, 0],
  ],
  attention_mask: [
    [1, 1, 1],
    [1, 1, 0],
  ],
  labels: [
    [2, 5, 6],
    [2, 7, -100],
  ],
});

test("a batch becomes int32 tensors", async () => {
  await useEngine("cpu");
  const inputs = modelInputs(
    {
      ...batch(),
      position_ids: [
        [0, 1, 2],
        [0, 1, 2],
      ],
    },
    { vocab_size: 8 },
  );
  assert.deepEqual(inputs.labels.arraySync(), batch().labels);
  assert.ok(Object.values(inputs).every((tensor) => tensor.dtype === "int32" && `${tensor.shape}` === "2,3"));
  tf.dispose({ ...inputs });
});

test("what no model can read is refused where it stands", () => {
  const refused = (change: object, message: RegExp) =>
    assert.throws(() => modelInputs({ ...batch(), ...change }, { vocab_size: 7 }), message);
  refused({}, /input_ids\[1\]\[1\] is 7, but the model's vocabulary has ids 0 to 6: does the tokenizer belong/);
  refused(
    {
      input_ids: [
        [2, -1, 6],
        [2, 3, 0],
      ],
    },
    /input_ids\[0\]\[1\] is -1/,
  );
  refused(
    {
      input_ids: [
        [2, 1.5, 6],
        [2, 3, 0],
      ],
    },
    /input_ids\[0\]\[1\] is 1.5/,
  );
  refused(
    {
      input_ids: [
        [2, 5, 6],
        [2, 3, 0],
      ],
    },
    /labels\[1\]\[1\] is 7/,
  );
  refused(
    {
      labels: [
        [2, 5],
        [2, 6, 3],
      ],
    },
    /labels is not a matrix of 2 x 3: row 0 has 2 columns; pad the batch/,
  );
  refused({ attention_mask: [[1, 1, 1]] }, /attention_mask is not a matrix of 2 x 3/);
  refused({ input_ids: [] }, /the batch is empty/);
});

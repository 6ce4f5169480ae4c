import assert from "node:assert/strict";
import { test } from "node:test";
import { AutoTokenizer, scoreSocraticReply, socraticMetrics } from "../../src/index.js";
import { referencePath } from "../data/reference.js";

/** Pairs of replies to the same words, the first more Socratic than the second. */
const pairs: { partner: string; good: string; bad: string }[] = [
  {
    partner: "早起きは体によいと聞きました。",
    good: "早起きが体によいと言えるのは、どんな理由からでしょうか。夜に働く人にも、同じことが言えるでしょうか。",
    bad: "早起きは体によいです。毎朝六時に起きてください。",
  },
  {
    partner: "友だちに嘘をついてしまいました。",
    good: "その嘘は、だれを守るためのものだったのですか。もし本当のことを話していたら、何が変わったと思いますか。",
    bad: "嘘はよくありません。正直に謝るべきです。",
  },
  {
    partner: "数学は役に立たないと思います。",
    good: "「役に立つ」とは、どういう意味でしょうか。それとも、まだ使う場面に出会っていないだけでしょうか。",
    bad: "答えは簡単です。数学は買い物で役に立ちます。",
  },
  {
    partner: "自由とは好きなことをすることです。",
    good: "では、好きなことが毎日変わる人は、自由なのでしょうか、それとも気分に縛られているのでしょうか。",
    bad: "はい、そうです。",
  },
  {
    partner: "仕事を辞めたいです。",
    good: "辞めたいと感じるのは、どんなときですか。",
    bad: "仕事仕事仕事仕事仕事仕事仕事仕事仕事仕事仕事仕事",
  },
];

test("a reply that asks as Socrates does scores higher than one that tells, in every part", () => {
  for (const { partner, good, bad } of pairs) {
    const better = scoreSocraticReply(good, partner);
    const worse = scoreSocraticReply(bad, partner);
    for (const key of ["question_score", "style_score", "combined_score"] as const) {
      assert.ok(better[key] > worse[key], `${key}: ${better[key]} for "${good}", ${worse[key]} for "${bad}"`);
    }
    assert.ok(better.flow_score >= worse.flow_score, `flow_score of "${good}"`);
    assert.ok(better.combined_score > 0.6, `${better.combined_score} for "${good}"`);
    assert.ok(worse.combined_score < 0.4, `${worse.combined_score} for "${bad}"`);
    for (const value of [...Object.values(better), ...Object.values(worse)]) assert.ok(value >= 0 && value <= 1);
  }
});

test("questions are told from statements by their end", () => {
  const asks = (text: string) => scoreSocraticReply(text).question_score;
  assert.equal(asks("それは正しいことでしょうか。"), 1);
  assert.equal(asks("それは本当なの？"), 1);
  assert.equal(asks("なぜ人は学ぶのかな。"), 1);
  assert.equal(asks("それは正しいことです。"), 0);
  assert.equal(asks("りんごとかみかんとか。"), 0);
  assert.equal(asks("？"), 0);
  assert.equal(asks("どう思いますか。私は正しいと思います。"), 0.6);
  assert.ok(asks("誰ですか。何ですか。いつですか。どこですか。なぜですか。どうしますか。") < 0.6);
});

test("taking up the partner's words raises the flow, repeating oneself and rambling lower it", () => {
  const flow = (reply: string, partner = "") => scoreSocraticReply(reply, partner).flow_score;
  const reply = "勇気があると言えるのはどんなときでしょうか。";
  assert.ok(flow(reply, "勇気がほしいです。") > flow(reply, "雨が降っています。"));
  assert.ok(flow(reply) > flow(`${reply}${reply}${reply}${reply}`));
  assert.ok(flow("はい。") < 0.3);
  assert.deepEqual(scoreSocraticReply("  "), { question_score: 0, flow_score: 0, style_score: 0, combined_score: 0 });
});

test("the metrics read the model's predictions for its own turns, shifted by one", async () => {
  const tokenizer = await AutoTokenizer.fromPretrained(referencePath("gemma2-tiny/tiny-gemma2"));
  const compute = socraticMetrics(tokenizer);
  const conversation = (reply: string) =>
    tokenizer.applyChatTemplate([
      { role: "user", content: "なぜ空は青いのですか。" },
      { role: "model", content: reply },
    ]);
  const labels = conversation("空は青いです。");
  const shifted = (ids: number[]) => [...ids.slice(1), 0];

  const echo = await compute({ predictions: [shifted(labels)], label_ids: [labels] });
  assert.deepEqual(echo, await compute({ predictions: [[...shifted(labels), -100]], label_ids: [[...labels, -100]] }));
  assert.equal(echo.question_score, 0, "the user's question is not the model's");

  const asking = conversation("なぜ青いのですか。");
  const asked = await compute({ predictions: [shifted(asking)], label_ids: [asking] });
  assert.equal(asked.question_score, 1);
  assert.deepEqual(Object.keys(asked), ["combined_score", "question_score", "flow_score", "style_score"]);

  // The answers are the reference, not what is scored: a model that predicts padding only gets nothing.
  const silent = await compute({ predictions: [asking.map(() => 0)], label_ids: [asking] });
  assert.equal(silent.combined_score, 0);

  // Two model turns, and labels of completion-only training, where the rest is -100.
  const header = asking.lastIndexOf(tokenizer.convertTokensToIds("<start_of_turn>")!);
  const masked = asking.map((id, i) => (i < header + 3 ? -100 : id));
  assert.equal((await compute({ predictions: [shifted(asking)], label_ids: [masked] })).question_score, 1);
});

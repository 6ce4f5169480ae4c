/**
 * Plain Japanese dialogues for pre-training: people ask, wonder and object, the assistant answers with statements.
 * It never asks back, which is what the tutorial's fine-tuning then teaches. The user asks in every way in which
 * Socrates asks, so the model knows the language of questions: only not as its own.
 *
 * Sentences are built from the hand-written facts by the small grammar below; the same seed gives the same corpus.
 */
import { readConcepts } from "./facts.js";
import { seeded } from "./random.js";
import { wonderingQuestion } from "./wondering.js";

/** `count` different dialogues `{ theme, messages: [{ role, content }, …] }`. */
export function buildCorpus({ count, seed }) {
  const random = seeded(seed);
  const concepts = readConcepts();
  const seen = new Set();
  const corpus = [];
  while (corpus.length < count) {
    const concept = random.pick(concepts);
    const turns = dialogue(concept, concepts, random);
    const key = turns.join("\n");
    if (seen.has(key)) continue;
    seen.add(key);
    const messages = turns.map((content, i) => ({ role: i % 2 === 0 ? "user" : "model", content }));
    corpus.push({ theme: concept.theme, messages });
  }
  return corpus;
}

/** One to three rounds about one concept; the later rounds lean on the earlier ones. */
function dialogue(concept, concepts, random) {
  const told = { concept, used: new Set(), random };
  const beginnings = [opinion, opinion, opinion, question, question, question, thought, comparison, wondering];
  const turns = random.pick(beginnings)(told, concepts);
  const rounds = random.pick([1, 1, 2, 2, 3]);
  for (let round = 1; round < rounds; round++) turns.push(...random.pick([followUp, wondering])(told, concepts));
  return turns;
}

/** The user asks as Socrates would, the assistant answers all the same. */
function wondering(told, concepts) {
  const { concept, random } = told;
  const [asked, relation] = wonderingQuestion(concept, neighbour(concept, concepts, random), random);
  const opener = random.pick(["", "", "", "よい質問です。", "人によって違います。", "そうとも限りません。", "はい。"]);
  return [asked, opener + statement(relation, told)];
}

/** Another concept, mostly of the same theme. */
function neighbour(concept, concepts, random) {
  const near = concepts.filter(({ theme, name }) => theme === concept.theme && name !== concept.name);
  return random.pick(random.chance(0.7) && near.length > 0 ? near : concepts.filter((other) => other !== concept));
}

function opinion({ concept, used, random }) {
  const { said, answer } = random.pick(concept.opinions);
  const opener = random.chance(0.2) ? random.pick(["実は、", "このごろ、", "私の場合、", "正直に言うと、"]) : "";
  const more = random.chance(0.5) ? statement(random.pick(["how", "examples", "why"]), { concept, used, random }) : "";
  return [opener + said, random.pick(["", "", "そうですね。", "わかります。"]) + answer + more];
}

function question(told) {
  const { concept, random } = told;
  const relation = random.pick(["gloss", "gloss", "why", "how", "examples", "cautions"]);
  return [ask(relation, concept, random), answer(relation, told)];
}

/** The user says something general about the concept. */
function thought(told) {
  const { concept, random } = told;
  const { name, kind } = concept;
  const forms = [
    [`${name}について悩んでいます。`, () => answer("how", told)],
    [`${name}とは何か、考えています。`, () => answer("gloss", told)],
    [`${name}のことがよくわかりません。`, () => answer("gloss", told)],
    [`${name}について、よく考えます。`, () => answer("why", told)],
    [`${name}のことで困っています。`, () => answer("how", told)],
  ];
  if (kind === "value") {
    forms.push(
      [`${name}は大切だと思います。`, () => `はい、${name}は大切です。${statement("why", told)}`],
      [`${name}がいちばん大事です。`, () => `${statement("why", told)}${statement("cautions", told)}`],
      [`${name}には意味がないと思います。`, () => `意味はあります。${statement("why", told)}`],
      [`${name}は必要ないと思います。`, () => `必要なときもあります。${statement("why", told)}`],
      [`${name}があれば、ほかには何もいりません。`, () => statement("cautions", told) + statement("why", told)],
    );
  }
  if (kind === "cause") {
    forms.push(
      [`${name}をなくしたいです。`, () => statement("how", told) + statement("how", told)],
      [`${name}はいつも悪いものだと思います。`, () => statement("why", told) + statement("how", told)],
    );
  }
  const [said, reply] = random.pick(forms);
  return [said, reply()];
}

function comparison(told, concepts) {
  const { concept, random } = told;
  const other = neighbour(concept, concepts, random);
  const [a, b] = [concept.name, other.name];
  const asked = random.pick([
    `${a}と${b}は、同じでしょうか。`,
    `${a}と${b}の違いは何ですか。`,
    `${a}と${b}は、どこが違うのでしょうか。`,
    `${a}と${b}では、どちらが大切でしょうか。`,
    `${a}と${b}を分けるものは何だと思いますか。`,
    `${a}がなくても、${b}はあると言えますか。`,
    `${a}ですか、それとも${b}ですか。`,
  ]);
  const end = random.pick([
    "ふたつは違うものです。",
    "どちらも大切にするとよいです。",
    "別のものとして考えるとよいです。",
  ]);
  return [asked, `${a}は、${concept.gloss}です。${b}は、${other.gloss}です。${end}`];
}

/** A short second question or remark that only makes sense after what was said. */
function followUp(told) {
  const { concept, random } = told;
  const { name, kind } = concept;
  const forms = [
    ["それはなぜですか。", () => statement("why", told)],
    ["それはなぜでしょうか。", () => statement("why", told)],
    ["どうしてそう言えるのですか。", () => statement("why", told)],
    ["なぜ、そう思うのですか。", () => statement("why", told)],
    ["そう考える理由は、何でしょうか。", () => statement("why", told)],
    ["たとえば、どんなことですか。", () => statement("examples", told)],
    ["たとえば、どんなときでしょうか。", () => statement("examples", told)],
    ["例をひとつ挙げてもらえますか。", () => statement("examples", told)],
    ["ほかにも例はありませんか。", () => statement("examples", told)],
    ["どんなときに、そう感じますか。", () => statement("examples", told)],
    ["では、どうすればよいでしょうか。", () => statement("how", told)],
    ["何から始めればよいですか。", () => statement("how", told)],
    ["ほかに、できることは何でしょう。", () => statement("how", told)],
    ["いちばん必要なものは何でしょうか。", () => statement("how", told)],
    ["気をつけることはありますか。", () => statement("cautions", told)],
    ["それは、だれにとっても同じでしょうか。", () => `人によって少し違います。${statement("examples", told)}`],
    ["それは、いつも正しいと言えますか。", () => `いつもそうとは限りません。${statement("cautions", told)}`],
    ["本当にそう言えるでしょうか。", () => `はい、そう言えます。${statement("why", told)}`],
    ["もし逆だったら、どうでしょうか。", () => `逆の場合もあります。${statement("cautions", told)}`],
    ["ほかの人も、そう思っているでしょうか。", () => `考え方は、人によって違います。${statement("why", told)}`],
    ["あなたはどう思いますか。", () => `私は、${concretely(random.pick(concept.how))}が大切だと思います。`],
    [`では、${name}とは何でしょうか。`, () => statement("gloss", told)],
    [`${name}とは、どういう意味でしょうか。`, () => statement("gloss", told)],
    [
      `${name}がまったくなかったら、どうなるでしょうか。`,
      () => (kind === "value" ? "困ることが増えます。" : "今とは違う暮らしになります。") + statement("why", told),
    ],
    ["なるほど、よくわかりました。", () => `よかったです。${statement("how", told)}`],
    ["そうかもしれません。", () => statement("how", told)],
    ["はい、そう思います。", () => statement(random.pick(["why", "how"]), told)],
    ["いいえ、そうは思いません。", () => `別の考え方もあります。${statement("why", told)}`],
    [`「${name}」とは、だれが決めたものでしょうか。`, () => `みんなで考えてきたものです。${statement("gloss", told)}`],
    ["うまく言えません。", () => `急がなくて大丈夫です。${statement("examples", told)}`],
    ["まだわかりません。", () => `ゆっくり考えるとよいです。${statement("examples", told)}`],
    ["もっと教えてください。", () => statement(random.pick(["why", "how", "examples"]), told)],
    [`たぶん、${clause(random.pick(concept.why))}からです。`, () => `そのとおりです。${statement("how", told)}`],
    [`${clause(random.pick(concept.why))}ところです。`, () => `よい所に気づきました。${statement("how", told)}`],
    [
      `よくわかりませんが、${clause(random.pick(concept.why))}からでしょうか。`,
      () => `そのとおりです。${statement("examples", told)}`,
    ],
    [
      `そう言われると、${clause(random.pick(concept.cautions))}ことがあります。`,
      () => `よくあることです。${statement("how", told)}`,
    ],
    [`いいえ、${clause(random.pick(concept.cautions))}こともあります。`, () => `そうですね。${statement("how", told)}`],
    [`はい、${clause(random.pick(concept.examples))}ことがあります。`, () => `よい例です。${statement("why", told)}`],
    [`${clause(random.pick(concept.examples))}ときです。`, () => `よい例です。${statement("why", told)}`],
    [`${concretely(random.pick(concept.how))}だと思います。`, () => `よい考えです。${statement("cautions", told)}`],
  ];
  const [said, reply] = random.pick(forms);
  return [said, reply()];
}

function ask(relation, { name, kind }, random) {
  const forms = {
    gloss: [
      `${name}とは何ですか。`,
      `${name}とは何でしょうか。`,
      `${name}とは、どういうものですか。`,
      `${name}について教えてください。`,
      `${name}の意味を教えてください。`,
      `${name}とは、どんなことでしょうか。`,
      `あなたは、${name}を何だと考えますか。`,
      `ひとことで言うと、${name}は何でしょうか。`,
      `「${name}」という言葉は、何を指していますか。`,
    ],
    why: {
      value: [
        `なぜ${name}は大切なのですか。`,
        `${name}は、どうして大事なのでしょうか。`,
        `${name}が必要なのはなぜでしょうか。`,
        `${name}は何のためにあるのですか。`,
        `${name}には、どんなよい点がありますか。`,
      ],
      cause: [
        `${name}はどうして起こるのですか。`,
        `${name}の原因は何でしょうか。`,
        `人はなぜ${name}から離れられないのでしょうか。`,
        `${name}は、どこから来るのでしょうか。`,
      ],
      meaning: [
        `${name}には、どんな意味がありますか。`,
        `${name}をどう考えればよいですか。`,
        `${name}について、あなたはどう思いますか。`,
      ],
    }[kind],
    how: [
      `${name}について、どうすればよいですか。`,
      `${name}のことで、よい方法はありますか。`,
      `${name}について助言をください。`,
      `${name}とうまく付き合うには、何が必要でしょうか。`,
      `${name}のために、何ができるでしょうか。`,
    ],
    examples: [
      `${name}の例を挙げてください。`,
      `${name}とは、たとえばどんなことですか。`,
      `どんなときに、${name}を感じますか。`,
      `${name}というと、何を思い浮かべますか。`,
    ],
    cautions: [
      `${name}で気をつけることは何ですか。`,
      `${name}について、してはいけないことはありますか。`,
      `${name}のよくない点は何でしょうか。`,
    ],
  };
  return random.pick(forms[relation]);
}

function answer(relation, told) {
  const { random } = told;
  const also = { gloss: ["examples", "why"], why: ["why", "how"], how: ["how", "cautions"] }[relation] ?? ["how"];
  return statement(relation, told) + (random.chance(0.6) ? statement(random.pick(also), told) : "");
}

/** One sentence of the assistant. A clause is not said twice in a dialogue while there is another. */
function statement(relation, { concept, used, random }) {
  const { name, kind, gloss } = concept;
  if (relation === "gloss") {
    const noun = gloss.endsWith("こと") ? gloss : `${gloss}のこと`;
    return random.pick([
      `${name}とは、${gloss}です。`,
      `${name}とは、${noun}です。`,
      `${name}は、${gloss}です。`,
      `${name}というのは、${noun}です。`,
      `ひとことで言えば、${gloss}です。`,
      `「${name}」は、${noun}を指します。`,
    ]);
  }
  const fresh = concept[relation].filter((text) => !used.has(text));
  const text = random.pick(fresh.length > 0 ? fresh : concept[relation]);
  used.add(text);
  const negative = text.endsWith("ない");
  const forms = {
    why: {
      value: [
        `${clause(text)}からです。`,
        `それは、${clause(text)}からです。`,
        `${name}は、${modifier(text)}ので大切です。`,
        `${name}のよさは、${modifier(text)}ことです。`,
      ],
      cause: [
        `${clause(text)}からです。`,
        `多くは、${clause(text)}からです。`,
        `${clause(text)}と、そうなりやすいです。`,
      ],
      meaning: [`${name}は、${modifier(text)}ものです。`, `${modifier(text)}ものだと考えるとよいです。`],
    }[kind],
    how: [
      `${text}ことが大切です。`,
      negative ? `${text}ようにするとよいです。` : `${text}とよいです。`,
      `${text}ように心がけましょう。`,
      `まず、${text}ことから始めるとよいです。`,
    ],
    examples: [`たとえば、${text}ことです。`, `たとえば、${text}ことがあります。`, `${text}ことも、その例です。`],
    cautions: [
      `${text}ことには気をつけましょう。`,
      `${text}のは避けたほうがよいです。`,
      `${text}と、うまくいきません。`,
    ],
  };
  return random.pick(forms[relation]);
}

/** A plain clause before から, とき: as it stands. */
function clause(text) {
  return text;
}

/** A plain clause before a noun or ので: 面倒だ -> 面倒な. */
function modifier(text) {
  return text.endsWith("だ") && !text.endsWith("んだ") && !text.endsWith("いだ") ? `${text.slice(0, -1)}な` : text;
}

function concretely(text) {
  return `${text}こと`;
}

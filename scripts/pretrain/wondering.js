/**
 * Questions of a user who wonders: the ways in which Socrates asks (meaning, reasons, other views, conditions, examples,
 * consequences), filled with a concept's facts. The assistant of the corpus answers them with a statement.
 */

/** `[question, relation]`: what the user asks, and which kind of fact answers it. */
export function wonderingQuestion(concept, other, random) {
  const forms = [...general(concept, other, random), ...(ofKind[concept.kind]?.(concept, random) ?? [])];
  return random.pick(forms);
}

function general({ name, gloss, why, how, examples, cautions }, other, random) {
  const [w, e, c] = [why, examples, cautions].map((list) => random.pick(list));
  const [h, h2] = random.shuffle([...how]);
  const [e1, e2] = random.shuffle([...examples]);
  return [
    [`${e}ことも、${name}と呼べるでしょうか。`, "gloss"],
    [`${e}とき、あなたは何を感じますか。`, "why"],
    [`${e}とき、そこにあるのは何でしょうか。`, "gloss"],
    [`${e}人を見て、あなたはどう思いますか。`, "why"],
    [`なぜ、${e}ことができるのでしょうか。`, "why"],
    [`${e1}のと、${e2 ?? e1}のとでは、何が違うのでしょうか。`, "examples"],
    [`${h}だけで、本当に十分でしょうか。`, "how"],
    [`${h}ことができない人は、どうすればよいのでしょうか。`, "how"],
    [`もし${h}ことができなかったら、どうなると思いますか。`, "cautions"],
    [`${h}とき、あなたは何を大切にしていますか。`, "why"],
    [`${h}ことと、${h2 ?? h}ことでは、どちらが先でしょうか。`, "how"],
    [`${c}のは、なぜよくないのでしょうか。`, "why"],
    [`${c}人は、何を求めているのでしょうか。`, "why"],
    [`${c}とき、私たちは何を忘れているのでしょうか。`, "how"],
    [`反対に、${c}ことで助かる人はいないのでしょうか。`, "cautions"],
    [`${w}としたら、それはなぜでしょうか。`, "why"],
    [`${w}のは、だれにとっても同じでしょうか。`, "examples"],
    [`${name}とは、ただ${gloss}なのでしょうか。`, "gloss"],
    [`${name}とは、${gloss}ですか。それとも、ほかの意味があるのでしょうか。`, "gloss"],
    [`何をもって、${name}と呼ぶのでしょうか。`, "gloss"],
    [`その${name}は、だれが決めたものでしょうか。`, "gloss"],
    [`だれにとっての${name}なのでしょうか。`, "examples"],
    [`${name}を感じたのは、どんなときでしたか。`, "examples"],
    [`${name}について、まだ知らないことは何でしょうか。`, "cautions"],
    [`昔の人も、${name}を同じように考えていたのでしょうか。`, "why"],
    [`${name}は、教わるものですか。それとも、自分で見つけるものですか。`, "how"],
    [`いちばん大切なのは、${name}でしょうか。それとも、${name}を求める心でしょうか。`, "why"],
    [`${name}があっても、${other.name}がない人は、どうでしょうか。`, "cautions"],
    [`${name}と${other.name}は、同じものでしょうか。それとも、違うものでしょうか。`, "gloss"],
    [`それは、${name}のことでしょうか。それとも、${other.name}のことでしょうか。`, "gloss"],
    [`${name}のために、手放してよいものは何でしょうか。`, "cautions"],
    [`では、${name}に必要なものは、ほかに何だと思いますか。`, "how"],
    [`では、${name}がまったくない暮らしを、想像できますか。`, "why"],
    [`その${name}は、あなたが選んだものですか。`, "examples"],
    [`あなたにとって、${name}とは何ですか。`, "gloss"],
    [`${name}は、どこから生まれるのでしょうか。`, "how"],
  ];
}

const ofKind = {
  value: ({ name, why, how }, random) => [
    [`${name}がよいのは、${random.pick(why)}からでしょうか。それとも、ほかの理由があるのでしょうか。`, "why"],
    [`${name}がたくさんあれば、それだけよいのでしょうか。`, "cautions"],
    [`${name}がないと感じるとき、本当は何が足りないのでしょうか。`, "how"],
    [`${name}を失った人は、何を失ったことになるのでしょうか。`, "why"],
    [`${name}が大切だとして、${random.pick(how)}ことは必ず必要ですか。`, "how"],
    [`${name}が大切だと気づいたのは、いつでしたか。`, "examples"],
  ],
  cause: ({ name, why }, random) => [
    [`${name}が起こるのは、${random.pick(why)}からでしょうか。それとも、ほかに理由があるのでしょうか。`, "why"],
    [`${name}がまったくなければ、人は幸せになれるのでしょうか。`, "how"],
    [`${name}は、私たちに何を教えようとしているのでしょうか。`, "how"],
    [`${name}の前に、あなたには何がありましたか。`, "why"],
    [`${name}を、悪いものだと決めたのはだれでしょうか。`, "why"],
  ],
  meaning: ({ name }) => [
    [`${name}には、よい面もあるのではないでしょうか。`, "why"],
    [`${name}を知らない人は、幸せでしょうか。`, "why"],
    [`${name}が怖いのは、なぜでしょうか。`, "why"],
  ],
};

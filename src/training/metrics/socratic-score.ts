/** How Socratic a Japanese reply is: three scores that look at its wording only. */

export interface SocraticScores {
  question_score: number;
  flow_score: number;
  style_score: number;
  /** 0.4 question + 0.3 flow + 0.3 style. */
  combined_score: number;
}

/**
 * Scores one reply; every score lies in [0, 1], and an empty reply gets 0 throughout.
 *
 * - `question_score`: does it ask back? 1 when the last sentence is a question, 0.6 when only an earlier one is, 0 without;
 *   a barrage of more than three questions counts for less.
 * - `flow_score`: does it belong to this dialogue? Half: it takes up a word of the partner's, refers back (その, それ), or
 *   connects (では, もし, それとも …). A quarter: sensible length, 15 to 160 characters. A quarter: it does not repeat itself.
 * - `style_score`: does it ask as Socrates does? It counts which of six kinds of question occur (clarifying, assumptions,
 *   reasons, other views, consequences, reflection; after Paul and Elder): 0, 0.55, 0.8, 0.91 … for 0, 1, 2, 3 kinds. Sentences
 *   that hand out the answer or orders take 0.3 off each.
 *
 * @param partner what the reply answers, if known
 */
export function scoreSocraticReply(reply: string, partner = ""): SocraticScores {
  const text = reply.trim();
  if (text === "") return { question_score: 0, flow_score: 0, style_score: 0, combined_score: 0 };
  const sentences = splitSentences(text);
  const question_score = scoreQuestions(sentences);
  const flow_score = scoreFlow(text, partner);
  const style_score = scoreStyle(sentences);
  const combined_score = 0.4 * question_score + 0.3 * flow_score + 0.3 * style_score;
  return { question_score, flow_score, style_score, combined_score };
}

/** Sentences with their closing mark. */
function splitSentences(text: string): string[] {
  const found = text.match(/[^。！？!?\n]+[。！？!?」』）]*/g) ?? [];
  return found.map((sentence) => sentence.trim()).filter((sentence) => /[\p{L}\p{N}]/u.test(sentence));
}

/**
 * A question mark; the particle か (かな, かしら, のか …) at the end, but not とか, which lists things; or an asking word with
 * でしょう at the end.
 */
function isQuestion(sentence: string): boolean {
  if (sentence.replace(/[^\p{L}\p{N}]/gu, "").length < 4) return false;
  if (/[？?][」』）]*$/.test(sentence) || /(?<!と)か(な|しら)?[。」』）]*$/.test(sentence)) return true;
  return /でしょう[。」』）]*$/.test(sentence) && askingWords.test(sentence);
}

const askingWords = /なぜ|どうして|何|なに|だれ|誰|どう|どの|どん|どこ|どちら|どれ|いつ|いくつ/;

function scoreQuestions(sentences: string[]): number {
  const questions = sentences.filter(isQuestion).length;
  if (questions === 0) return 0;
  const place = isQuestion(sentences.at(-1)!) ? 1 : 0.6;
  return place * Math.min(1, 3 / questions);
}

const connectives =
  /では|それでは|それなら|すると|つまり|しかし|けれど|でも|ただ|たとえば|例えば|そして|それとも|もし|だから|なるほど|たしかに|確かに|だとすれば|一方|むしろ/;
const references = /その|それ|そう|いま|先ほど|さきほど|「[^」]+」/;

function scoreFlow(text: string, partner: string): number {
  const shared = sharesContent(text, partner) ? 0.5 : 0;
  const refers = references.test(text) ? 0.3 : 0;
  const connects = connectives.test(text) ? 0.4 : 0;
  return 0.5 * Math.min(1, shared + refers + connects) + 0.25 * scoreLength(text) + 0.25 * scoreVariety(text);
}

// Kanji that stand in almost any sentence say nothing about its topic.
const everywhere = new Set("人日何思言私自分今間時事物本中一考見方気出来");

/** A kanji, or a word in katakana or Latin letters, that both texts have. */
function sharesContent(text: string, partner: string): boolean {
  const words = (source: string) => source.match(/\p{Script=Han}|[\p{Script=Katakana}ー]{2,}|[A-Za-z]{3,}/gu) ?? [];
  const topics = new Set(words(partner).filter((word) => !everywhere.has(word)));
  return words(text).some((word) => topics.has(word));
}

function scoreLength(text: string): number {
  const length = [...text].length;
  if (length < 15) return length / 15;
  return length <= 160 ? 1 : Math.max(0, 1 - (length - 160) / 240);
}

/** Distinct pairs of letters among all: 1 from 70 % on, 0 from 20 % down. */
function scoreVariety(text: string): number {
  const letters = [...text.replace(/[^\p{L}\p{N}]/gu, "")];
  if (letters.length < 3) return 0;
  const pairs = letters.slice(1).map((letter, i) => letters[i]! + letter);
  return Math.min(1, Math.max(0, (new Set(pairs).size / pairs.length - 0.2) / 0.5));
}

const kinds: Record<string, RegExp> = {
  clarifying:
    /どういう|どのよう|どのくらい|どんな|とは(何|なん|、)|ものは何|何でしょう|何だった|指す|具体的|言いかえ|言い換え|詳しく|くわしく|という意味|呼[ばびぶべぼん]/,
  assumptions:
    /前提|決め|思い込|当たり前|(だれ|誰)の|もとに|必ず|いつも|同じ(もの|こと|です|でしょう)|本当に|だけ(が|の|で|な)|[てで]よい|言え[るま]|言い切れ/,
  reasons:
    /なぜ|どうして|理由|根拠|(だ|た|る|い)から(でしょう|です|来)|どこから|何が|何のため|何を(得|求|守|頼|見)|何に/,
  other_views: /ほか(の|に)|他(の|に)|別の|反対|逆に|立場|それとも|どちら|違い|ちがい|ちがう|違う|か、[^。]*か[。？]/,
  consequences: /もし|たら|れば|なると|ても|でも|変わ|そのとき|そのあと|あとに残る|結果|どうなる/,
  reflection:
    /どう(思|感|考|でしょう)|気づ|問い|考えて|と思いますか|思い出|あり(ません|ます)か|ないでしょうか|あなた(に|は|の|が|自身|と)|私たち/,
};

const handsOut = /答えは|正解は|結論は|べきです|べきだ|なければなりません|なさい|ましょう[。！!]|てください/;

function scoreStyle(sentences: string[]): number {
  const questions = sentences.filter(isQuestion).join("");
  const found = Object.values(kinds).filter((kind) => kind.test(questions)).length;
  const lectures = sentences.filter((sentence) => !isQuestion(sentence) && handsOut.test(sentence)).length;
  return Math.max(0, 1 - 0.45 ** found - 0.3 * lectures);
}

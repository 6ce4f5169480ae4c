/**
 * Byte-pair encoding learnt from text: which neighbours to join, most frequent first.
 *
 * Text is cut before counting, and a piece grows to at most `max_piece` characters: without both, the formulaic corpus
 * would turn whole phrases into single tokens, and a small model could no longer recombine them.
 */

/**
 * Where a piece must end: at punctuation, and between a noun and its particle. Else the corpus would teach 友達は, 友達と and
 * 友達の as three unrelated words.
 */
const boundary = /[^\p{L}\p{N}ー]+|(?<=[\p{Script=Han}\p{Script=Katakana}ー])(?=[はがをにとへでのやも])/u;

/** `{ alphabet, merges }`: characters by frequency, and pairs in the order in which they were learnt. */
export function learnMerges(texts, { merges: wanted, max_piece = 4, min_count = 2 }) {
  const alphabet = new Map();
  const segments = new Map();
  for (const text of texts) {
    for (const character of text) alphabet.set(character, (alphabet.get(character) ?? 0) + 1);
    for (const segment of text.split(boundary)) {
      if (segment.length > 1) segments.set(segment, (segments.get(segment) ?? 0) + 1);
    }
  }
  // Square roots: a template that fills ten thousand dialogues should not outweigh all the words that fill one each.
  const words = [...segments].map(([text, count]) => ({ pieces: [...text], weight: Math.sqrt(count) }));
  const pairs = new PairCounts(words, max_piece);
  const merges = [];
  while (merges.length < wanted) {
    const pair = pairs.commonest(min_count);
    if (pair === undefined) break;
    merges.push(pair);
    pairs.merge(pair);
  }
  return { alphabet: [...alphabet].sort(byCountThenText).map(([character]) => character), merges };
}

/** How often each two neighbours occur, kept up to date while pairs are joined: only words that hold the pair change. */
class PairCounts {
  constructor(words, max_piece) {
    this.max_piece = max_piece;
    this.counts = new Map();
    this.holders = new Map();
    for (const word of words) this.add(word, 1);
  }

  commonest(min_count) {
    let best;
    for (const entry of this.counts) {
      if (entry[1] >= min_count && (best === undefined || byCountThenText(entry, best) < 0)) best = entry;
    }
    return best?.[0].split(" ");
  }

  merge([left, right]) {
    const key = `${left} ${right}`;
    for (const word of [...this.holders.get(key)]) {
      this.add(word, -1);
      const { pieces } = word;
      for (let i = 0; i + 1 < pieces.length; i++) {
        if (pieces[i] === left && pieces[i + 1] === right) pieces.splice(i, 2, left + right);
      }
      this.add(word, 1);
    }
    // Sums of square roots leave a rest of rounding where nothing is left to count.
    this.counts.delete(key);
  }

  add(word, sign) {
    const { pieces, weight } = word;
    for (let i = 0; i + 1 < pieces.length; i++) {
      if ([...pieces[i]].length + [...pieces[i + 1]].length > this.max_piece) continue;
      const key = `${pieces[i]} ${pieces[i + 1]}`;
      this.counts.set(key, (this.counts.get(key) ?? 0) + sign * weight);
      const holders = this.holders.get(key) ?? new Set();
      this.holders.set(key, holders);
      if (sign > 0) holders.add(word);
      else holders.delete(word);
    }
  }
}

function byCountThenText([a, countA], [b, countB]) {
  return countB - countA || (a < b ? -1 : a > b ? 1 : 0);
}

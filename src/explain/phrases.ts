/** Phrase breaks for short Japanese texts in large type, where a break inside a word hurts most. */

/** Splits a text where a line may end: 「データの」「分割を」「行う」. */
export type SplitPhrases = (text: string) => string[];

export function mayNeedPhrases(text: string): boolean {
  return /[\u3040-\u30ff\u4e00-\u9fff]/.test(text);
}

/** Loaded only when there is Japanese to break. */
export async function loadPhraseSplitter(): Promise<SplitPhrases> {
  // The package's entry also loads a whole DOM for breaking HTML, which takes longer than everything else here.
  const inside = (path: string) => new URL(path, import.meta.resolve("budoux")).href;
  const { Parser } = (await import(inside("parser.js"))) as { Parser: new (model: unknown) => { parse: SplitPhrases } };
  const { model } = (await import(inside("data/models/ja.js"))) as { model: unknown };
  const parser = new Parser(model);
  return (text) => (mayNeedPhrases(text) ? parser.parse(text) : [text]);
}

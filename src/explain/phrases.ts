/** Phrase breaks for short Japanese texts in large type, where a break inside a word hurts most. */

/** Splits a text where a line may end: 「データの」「分割を」「行う」. */
export type SplitPhrases = (text: string) => string[];

export function mayNeedPhrases(text: string): boolean {
  return /[\u3040-\u30ff\u4e00-\u9fff]/.test(text);
}

/** Loaded only when there is Japanese to break: the model costs a tenth of a second. */
export async function loadPhraseSplitter(): Promise<SplitPhrases> {
  const { loadDefaultJapaneseParser } = await import("budoux");
  const parser = loadDefaultJapaneseParser();
  return (text) => (mayNeedPhrases(text) ? parser.parse(text) : [text]);
}

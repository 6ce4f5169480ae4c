/** What the page itself says, as opposed to the notebook. */
export interface Strings {
  lang: "ja" | "en";
  toc: string;
  skip: string;
  panel: string;
  code: (label: string) => string;
  output: (label: string) => string;
  error: string;
  injected: string;
  moreLines: (count: number) => string;
  showCode: string;
  showOutput: string;
  notShown: (type: string) => string;
  download: (type: string) => string;
  remoteImage: string;
  missingImage: string;
  interactive: string;
  attachment: string;
  noOutputText: string;
  table: string;
  codeBlock: string;
}

export const strings: Record<"ja" | "en", Strings> = {
  ja: {
    lang: "ja",
    toc: "目次",
    skip: "本文へ移動",
    panel: "解説",
    code: (label) => `コード ${label}`,
    output: (label) => `コード ${label} の出力`,
    error: "エラー",
    injected: "この実行で与えられた値",
    moreLines: (count) => `残り ${count} 行を表示`,
    showCode: "コードを表示",
    showOutput: "出力を表示",
    notShown: (type) => `この形式（${type}）の出力は、このページでは表示できません。`,
    download: (type) => `ファイルを保存（${type}）`,
    remoteImage: "外部の画像は読み込みません",
    missingImage: "画像がありません",
    interactive: "動く部品は、安全のため取り除きました。",
    attachment: "添付画像",
    noOutputText: "図",
    table: "表",
    codeBlock: "コード",
  },
  en: {
    lang: "en",
    toc: "Contents",
    skip: "Skip to content",
    panel: "Explanation",
    code: (label) => `Code ${label}`,
    output: (label) => `Output of code ${label}`,
    error: "Error",
    injected: "Values given to this run",
    moreLines: (count) => `Show ${count} more lines`,
    showCode: "Show code",
    showOutput: "Show output",
    notShown: (type) => `Output of this type (${type}) cannot be shown in this page.`,
    download: (type) => `Save file (${type})`,
    remoteImage: "Pictures from elsewhere are not loaded",
    missingImage: "No such picture",
    interactive: "Interactive parts were removed for safety.",
    attachment: "attached picture",
    noOutputText: "figure",
    table: "table",
    codeBlock: "code",
  },
};

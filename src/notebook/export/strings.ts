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
  /** Pages of a site. */
  site: Record<"index" | "pages" | "previous" | "next", string>;
  tools: {
    search: string;
    searchFor: string;
    searchHint: string;
    close: string;
    display: string;
    lineNumbers: string;
    showCode: string;
    showOutputs: string;
    keys: string;
    /** What the script says; it reads these from the bar's data attributes. */
    said: Record<
      | "auto"
      | "light"
      | "dark"
      | "expand"
      | "collapse"
      | "copy"
      | "copied"
      | "failed"
      | "link"
      | "code"
      | "outputs"
      | "show"
      | "hide"
      | "nothing"
      | "found",
      string
    >;
  };
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
    site: { index: "一覧へ", pages: "前後のページ", previous: "前へ", next: "次へ" },
    tools: {
      search: "検索",
      searchFor: "探す言葉",
      searchHint: "ページ内を検索（/ キー）",
      close: "閉じる",
      display: "表示",
      lineNumbers: "行番号",
      showCode: "コード",
      showOutputs: "出力",
      keys: "キー：<kbd>j</kbd> 次へ <kbd>k</kbd> 前へ <kbd>o</kbd> 解説の開閉 <kbd>/</kbd> 検索",
      said: {
        auto: "配色：自動",
        light: "配色：明るい",
        dark: "配色：暗い",
        expand: "解説をすべて開く",
        collapse: "解説をすべて閉じる",
        copy: "コピー",
        copied: "コピーしました",
        failed: "コピーできません",
        link: "この場所へのリンク",
        code: "コード",
        outputs: "出力",
        show: "開く",
        hide: "たたむ",
        nothing: "見つかりませんでした",
        found: "件",
      },
    },
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
    site: { index: "All notebooks", pages: "Neighbouring pages", previous: "Previous", next: "Next" },
    tools: {
      search: "Search",
      searchFor: "Search for",
      searchHint: "Search this page (key: /)",
      close: "Close",
      display: "View",
      lineNumbers: "Line numbers",
      showCode: "Code",
      showOutputs: "Outputs",
      keys: "Keys: <kbd>j</kbd> next, <kbd>k</kbd> previous, <kbd>o</kbd> explanation, <kbd>/</kbd> search",
      said: {
        auto: "Theme: automatic",
        light: "Theme: light",
        dark: "Theme: dark",
        expand: "Open all explanations",
        collapse: "Close all explanations",
        copy: "Copy",
        copied: "Copied",
        failed: "Cannot copy",
        link: "Link to this place",
        code: "Code",
        outputs: "Output",
        show: "show",
        hide: "hide",
        nothing: "Nothing found",
        found: "found",
      },
    },
  },
};

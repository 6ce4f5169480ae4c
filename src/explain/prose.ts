/** Rules for Japanese technical prose, by textlint, when it is installed (it is not needed for anything else). */
import type { Finding } from "./lint.js";

export type ProseLinter = (markdown: string) => Promise<Finding[]>;

/** What `npm install` needs for the rules; ours are development dependencies only. */
export const proseLinterPackages = [
  "@textlint/kernel",
  "@textlint/textlint-plugin-markdown",
  "textlint-rule-preset-ja-technical-writing",
  "textlint-rule-preset-ja-spacing",
];

/** Where the presets' own choice does not fit explanations that address the reader. */
const adjusted: Record<string, unknown> = {
  "ja-technical-writing/no-exclamation-question-mark": false,
  "ja-technical-writing/no-mix-dearu-desumasu": {
    preferInHeader: "",
    preferInBody: "ですます",
    preferInList: "",
    strict: false,
  },
  "ja-technical-writing/ja-no-mixed-period": { periodMark: "。", allowPeriodMarks: ["：", ":"] },
  "ja-technical-writing/ja-no-successive-word": { allow: ["…", "。", "、"] },
  // Code stands apart by its background; with or without a space is the author's taste.
  "ja-spacing/ja-space-around-code": false,
};

/** Undefined when the packages are not there. */
export async function loadProseLinter(): Promise<ProseLinter | undefined> {
  let loaded: Record<string, unknown>[];
  try {
    loaded = await Promise.all(
      proseLinterPackages.map(async (name) => (await import(name)) as Record<string, unknown>),
    );
  } catch {
    return undefined;
  }
  const [kernelModule, markdown, ...presets] = loaded;
  const kernel = new (kernelModule!.TextlintKernel as new () => Kernel)();
  const options = {
    ext: ".md",
    filePath: "panel.md",
    plugins: [{ pluginId: "markdown", plugin: inner(markdown!) }],
    rules: presets.flatMap((preset, i) =>
      presetRules(i === 0 ? "ja-technical-writing" : "ja-spacing", inner(preset) as Preset),
    ),
  };
  return async (text) => {
    const { messages } = await kernel.lintText(text, options);
    return messages.map(({ line, ruleId, message }) => ({ line, rule: ruleId, message: message.split("\n")[0]! }));
  };
}

interface Kernel {
  lintText(text: string, options: unknown): Promise<{ messages: { line: number; ruleId: string; message: string }[] }>;
}

interface Preset {
  rules: Record<string, unknown>;
  rulesConfig?: Record<string, unknown>;
}

function presetRules(name: string, preset: Preset): { ruleId: string; rule: unknown; options: unknown }[] {
  return Object.entries(preset.rules).flatMap(([id, rule]) => {
    const ruleId = `${name}/${id}`;
    const options = adjusted[ruleId] ?? preset.rulesConfig?.[id] ?? true;
    return options === false ? [] : [{ ruleId, rule: inner(rule as Record<string, unknown>), options }];
  });
}

/** CommonJS made from ES modules wraps its default export once or twice. */
function inner(module: Record<string, unknown>): unknown {
  let value = module;
  while (value && typeof value === "object" && "default" in value && !("linter" in value))
    value = value.default as Record<string, unknown>;
  return value;
}

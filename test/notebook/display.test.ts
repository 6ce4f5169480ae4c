import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { JSDOM } from "jsdom";
import { display, explain, newDisplay } from "kaisetsu";
import { chartSvg } from "../../src/notebook/chart.js";
import { setNotebookHost } from "../../src/notebook/host.js";

type Shown = { data: Record<string, unknown>; options: { display_id?: string; update?: boolean } };

function fakeHost(): Shown[] {
  const shown: Shown[] = [];
  setNotebookHost({
    display: (data, options = {}) => void shown.push({ data, options }),
    clearOutput: () => {},
    canAsk: () => false,
    ask: () => "",
  });
  return shown;
}

afterEach(() => setNotebookHost(undefined));

test("in our kernel a display appends, and a new display updates itself in place", () => {
  const shown = fakeHost();
  display.html("<b>a</b>");
  display.png(new Uint8Array([137, 80, 78, 71]));
  const live = newDisplay();
  live.text("1");
  live.text("2");
  assert.deepEqual(
    shown.map(({ data }) => data),
    [{ "text/html": "<b>a</b>" }, { "image/png": "iVBORw==" }, { "text/plain": "1" }, { "text/plain": "2" }],
  );
  assert.equal(shown[0]!.options.display_id, undefined);
  assert.deepEqual(
    shown.map(({ options }) => options.update),
    [false, false, false, true],
  );
  assert.ok(shown[2]!.options.display_id);
  assert.equal(shown[2]!.options.display_id, shown[3]!.options.display_id);
});

test("explain shows the stored panel markup", () => {
  const shown = fakeHost();
  explain("### 学習率とは\n\n## 例\n\n`8e-5` です。");
  const markup = shown[0]!.data["text/markdown"] as string;
  assert.match(markup, /^<details class="kaisetsu" lang="ja"/);
  assert.match(markup, /解説<\/strong>：学習率とは<\/summary>\n\n#### 例\n/);
});

test("a plain Node process prints text instead", () => {
  const script = `import { display, newDisplay, explain } from "kaisetsu";
    display.html("<p>a &lt; b</p><script>x</script>"); display.json({ a: 1 });
    const live = newDisplay(); live.text("same"); live.text("same"); live.text("other");
    explain("# 題\\n本文"); display.png(new Uint8Array(3));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    cwd: join(dirname(fileURLToPath(import.meta.url)), "../../.."),
  });
  assert.equal(stderr, "");
  assert.equal(stdout, 'a < b\n{\n  "a": 1\n}\nsame\nother\n【解説：題】\n本文\n[image/png]\n');
});

test("a chart is a well-formed, titled picture; points that are not numbers do not break it", () => {
  const svg = chartSvg({
    title: "損失 <train>",
    series: [
      {
        name: "a&b",
        points: [
          [0, 2],
          [1, Number.NaN],
          [2, 1.5],
          [3, 1.5],
        ],
      },
      { name: "empty", points: [] },
    ],
  });
  const { document } = new JSDOM(svg, { contentType: "image/svg+xml" }).window;
  assert.equal(document.querySelector("title")?.textContent, "損失 <train>");
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  assert.match(document.querySelector("desc")!.textContent!, /a&b 2 → 1.5 \(3\)/);
});

test("a chart shows its numbers in a table too", () => {
  const shown = fakeHost();
  display.chart({
    title: "t",
    x_label: "step",
    series: [
      { name: "loss", points: [[20, 1.25]] },
      { name: "eval", points: [[40, 0.5]] },
    ],
  });
  const { document } = new JSDOM(shown[0]!.data["text/html"] as string).window;
  const rows = [...document.querySelectorAll("tr")].map((row) => [...row.children].map((cell) => cell.textContent));
  assert.deepEqual(rows, [
    ["step", "loss", "eval"],
    ["20", "1.25", ""],
    ["40", "", "0.5"],
  ]);
  assert.match(document.querySelector("img")!.alt, /loss 1.25/);
});

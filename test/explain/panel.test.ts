import assert from "node:assert/strict";
import { test } from "node:test";
import { panelFromMarkdown, readPanel, writePanel } from "../../src/explain/panel.js";

test("a panel comes back as it was stored", () => {
  const panels = [
    { title: "データの分割", body: "本文です。\n\n```ts\nconst a = '</details>';\n```" },
    { title: "`a < b` & c", body: "#### 見出し\n\n- 一\n- 二" },
    { title: "", body: "題のない解説" },
    { title: "入れ子", body: "<details>\n<summary>詳しく</summary>\n\n中\n\n</details>\n\n続き" },
  ];
  for (const panel of panels) {
    const stored = writePanel(panel);
    assert.deepEqual(readPanel(stored), panel);
    assert.equal(writePanel(readPanel(stored)!), stored);
  }
});

test("panels written by hand, in wrappers and with style blocks, are understood", () => {
  const source = `<style>
pre { color: red }
</style>

<div style="background-color: #FFF;">
    <details>
        <summary style="color: #8A6F5C;">claude解説</summary>
        <div style="color: #8A6F5C;">

説明です。

### 例

</div>
    </details>
</div>`;
  assert.deepEqual(readPanel(source), { title: "", body: "説明です。\n\n### 例" });
  assert.equal(readPanel("ただの文章 <details> です"), undefined);
  assert.equal(
    readPanel("<details><summary>a</summary>x</details>\n\n<details><summary>b</summary>y</details>"),
    undefined,
  );
});

test("a first heading becomes the title, and headings below move under those of the page", () => {
  assert.deepEqual(panelFromMarkdown("## 学習率\n\n# 例\n```bash\n# no heading\n```\n## 細目\n"), {
    title: "学習率",
    body: "#### 例\n```bash\n# no heading\n```\n##### 細目",
  });
  assert.deepEqual(panelFromMarkdown("本文だけ", "セル 3"), { title: "セル 3", body: "本文だけ" });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isInert } from "../../src/notebook/export/inert.js";
import { attributes, htmlTags, mathTags } from "../../src/notebook/export/rules.js";
import { loadPurify } from "../../src/notebook/export/sanitize.js";
import { parseHtml, writeHtml } from "../../src/notebook/export/tree.js";
import { htmlPayloads, markdownPayloads } from "../browser/hostile.js";

const purify = loadPurify();
const rounds = Number(process.env.FUZZ_ROUNDS ?? 6000);

describe("HTML that may pass without the sanitiser", () => {
  test("what Markdown, KaTeX and pandas write passes, and the sanitiser agrees", () => {
    for (const html of [
      "",
      "文字だけ",
      '<p>a <strong>b</strong> &amp; <code translate="no">x &lt; 1</code><br>c</p>\n<ul>\n<li>一<p>二</p></li>\n</ul>\n',
      '<pre class="code" tabindex="0"><code><span class="hljs-keyword">const</span> a\n</code></pre>',
      '<h2 id="s-題" class="budoux">題<wbr>名</h2><a href="#s-題">上</a>',
      '<a href="https://example.org/?q=1&amp;r=2#x" rel="noopener noreferrer">外</a>',
      '<a href="資料/a.html" rel="noopener noreferrer">隣</a>',
      '<img src="data:image/png;base64,iVBORw0KGgo=" alt="図 1: &quot;引用&quot;" width="10">',
      '<div class="table" tabindex="0" role="group" aria-label="表"><table border="1"><thead><tr><th>x</th></tr></thead> <tbody><tr><td style="color:red">1</td></tr></tbody></table></div>',
      '<math><mrow><mi>a</mi><mo stretchy="false">(</mo></mrow></math>',
      "<ruby>漢<rp>（</rp><rt>かん</rt><rp>）</rp></ruby>",
    ]) {
      assert.ok(isInert(html), html);
      assert.equal(purify(html), html);
    }
  });

  test("each rule refuses what it is there for", () => {
    for (const html of [
      "<script>x</script>",
      "<style>p{}</style>",
      "<svg></svg>",
      "<title></title>",
      "<p>a",
      "a</p>",
      "</section>",
      "<b><i></b></i>",
      "<!-- x -->",
      "<![CDATA[x]]>",
      "<!DOCTYPE html>",
      "<?x?>",
      "<p/>",
      "<P>x</P>",
      "<p >x</p>",
      "<p\n>x</p>",
      "<p title=x>x</p>",
      "<p title='x'>x</p>",
      '<p title="a"lang="b">x</p>',
      '<p title="a" title="b">x</p>',
      '<p title="a<b">x</p>',
      '<p title="--!>">x</p>',
      '<p title="&lt;/style>">x</p>',
      '<p title="&apos;">x</p>',
      '<p onclick="x">x</p>',
      '<p id="main">x</p>',
      '<p class="bar">x</p>',
      '<p style="position:fixed">x</p>',
      '<p style="background:url(x)">x</p>',
      '<p tabindex="1">x</p>',
      '<p role="button">x</p>',
      '<p href="#x">x</p>',
      '<a href="javascript:x" rel="noopener noreferrer">x</a>',
      '<a href="java\u00adscript:x" rel="noopener noreferrer">x</a>',
      '<a href=" javascript:x" rel="noopener noreferrer">x</a>',
      '<a href="&#106;avascript:x" rel="noopener noreferrer">x</a>',
      '<a href="javascript&amp;colon;x:" rel="noopener noreferrer">x</a>',
      '<a href="data:image/svg+xml,x" rel="noopener noreferrer">x</a>',
      '<a href="https://example.org">x</a>',
      '<a href="#a" rel="opener">x</a>',
      '<img src="https://example.org/x.png">',
      '<img src="data:image/svg+xml,<svg>">',
      '<img src="data:text/html;base64,eA==">',
      '<video src="data:image/png;base64,eA=="></video>',
      "<img></img>",
      "<br></br>",
      "a > b",
      "a & b",
      "&amp",
      "&colon;",
      "a\rb",
      "a\0b",
      "a\u00a0b",
      "<p><div>x</div></p>",
      "<p><b><table></table></b></p>",
      "<li>x</li>",
      "<ul><li><div><li>x</li></div></li></ul>",
      "<a><b><a>x</a></b></a>",
      "<h1><h2>x</h2></h1>",
      "<table>x</table>",
      "<table><tr><td>x</td></tr></table>",
      "<table><tbody><div>x</div></tbody></table>",
      "<tr><td>x</td></tr>",
      "<mi>x</mi>",
      "<math><p>x</p></math>",
      "<math><mtext><b>x</b></mtext></math>",
      "<math><math></math></math>",
      "<pre>\nx</pre>",
      "<custom-element>x</custom-element>",
    ])
      assert.equal(isInert(html), false, html);
  });

  test("of the hostile payloads, written or straightened by a parser, only those pass that the sanitiser leaves alone", () => {
    for (const payload of [...htmlPayloads, ...markdownPayloads]) {
      for (const html of [payload, writeHtml(parseHtml(payload))]) if (isInert(html)) assert.equal(purify(html), html);
    }
    const passing = htmlPayloads.filter(isInert);
    assert.deepEqual(
      passing,
      htmlPayloads.filter((payload) => payload.startsWith('<p title="`')),
    );
  });

  test("of many random texts, the sanitiser changes none that passes", () => {
    const random = randomFrom(Number(process.env.FUZZ_SEED ?? 1));
    let passed = 0;
    for (let i = 0; i < rounds; i++) {
      const raw = randomHtml(random, 6);
      // Half of them as a parser straightens them, which is what the exporter asks about.
      const html = i % 2 === 0 ? raw : writeHtml(parseHtml(raw));
      if (!isInert(html)) continue;
      passed++;
      assert.equal(purify(html), html);
    }
    assert.ok(passed > rounds / 10, `only ${passed} passed: the test would say nothing`);
  });
});

type Random = <T>(choices: readonly T[]) => T;

function randomFrom(seed: number): Random {
  let state = seed;
  return (choices) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return choices[Math.floor((state / 2 ** 32) * choices.length)]!;
  };
}

const hostileTags = ["script", "style", "svg", "template", "form", "select", "textarea", "noscript", "mglyph", "x-y"];
const texts = [
  "文",
  "a",
  " ",
  "\n",
  "&lt;",
  "&amp;",
  "&nbsp;",
  "1 &gt; 0",
  "&",
  "<",
  ">",
  "<!--",
  "-->",
  "]]>",
  "\r",
  "</p>",
];
const values = [
  "",
  "0",
  "1",
  "left",
  "s-x",
  "main",
  "code",
  "hljs-title function_",
  "color:red",
  "color:red;position:fixed",
];
const addresses = [
  "#s-a",
  "https://a.example/",
  "a/b.html",
  "javascript:x",
  "data:image/png;base64,eA==",
  "java\tscript:x",
];
const odd = ["a&quot;b", "a&amp;b", "</style>", "-->", "a:b", " a ", "url(x)", "\u00a0", "img", "noopener noreferrer"];

function randomHtml(random: Random, depth: number): string {
  let html = "";
  for (let count = random([0, 1, 1, 2, 3]); count > 0; count--) {
    if (depth === 0 || random([true, false, false])) {
      html += random(random([texts.slice(0, 8), texts.slice(0, 8), texts.slice(0, 8), texts]));
      continue;
    }
    const tag = random(random([common, common, common, common, htmlTags, mathTags, hostileTags]));
    const written = random([[], [], [], [1], [1, 2]]).map(() => {
      const name = random(
        random([["class", "id", "href", "src", "style", "title", "rel"], attributes, ["onclick", "name"]]),
      );
      return ` ${name}="${random(random([values, addresses, odd]))}"`;
    });
    const inside = randomHtml(random, depth - 1);
    const end = random([true, true, true, true, true, true, true, false]) && !/^(?:br|hr|img|wbr|col)$/.test(tag);
    html += `<${tag}${written.join("")}>${inside}${end ? `</${tag}>` : ""}`;
  }
  return html;
}

const common =
  "p p div span a b i em ul ol li li dl dt dd h1 h2 pre code table thead tbody tr td th caption ruby rt br img details summary math mi".split(
    " ",
  );

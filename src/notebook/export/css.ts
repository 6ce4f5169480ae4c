/** Inline styles of a notebook, reduced to what cannot leave its box, load anything or cover the page. */

const properties = new Set(
  (
    "background background-color border border-bottom border-collapse border-color border-left border-radius border-right " +
    "border-spacing border-style border-top border-width box-sizing caption-side clear color display float font font-family " +
    "font-size font-style font-variant font-weight gap height letter-spacing line-height list-style list-style-type margin " +
    "margin-bottom margin-left margin-right margin-top max-height max-width min-height min-width opacity overflow overflow-x " +
    "overflow-y padding padding-bottom padding-left padding-right padding-top text-align text-decoration text-indent " +
    "text-transform vertical-align visibility white-space width word-break overflow-wrap flex flex-direction flex-wrap " +
    "justify-content align-items grid-template-columns grid-column-gap grid-row-gap"
  ).split(" "),
);

/** No url(), no var(), no escapes, no comments: only words, numbers and the colour functions. */
const plainValue = /^[\w\s#%.,'"+/-]*(?:\b(?:rgba?|hsla?|repeat|minmax)\([\w\s%.,/+-]*\)[\w\s#%.,'"+/-]*)*$/i;

export function safeStyle(style: string): string {
  return style
    .split(";")
    .map((declaration) => {
      const at = declaration.indexOf(":");
      const property = declaration.slice(0, at).trim().toLowerCase();
      const value = declaration
        .slice(at + 1)
        .replace(/!\s*important/i, "")
        .trim();
      if (at < 0 || !properties.has(property) || !plainValue.test(value) || value.length > 200) return "";
      if (/\/\*/.test(value)) return "";
      // A negative margin would pull content over the page's own parts.
      if (property.startsWith("margin") && /(?:^|[\s,])-/.test(value)) return "";
      return `${property}:${value}`;
    })
    .filter(Boolean)
    .join(";");
}

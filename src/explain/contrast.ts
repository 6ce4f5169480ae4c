/** Contrast of colours in inline styles, by WCAG 2's formula. */

type Rgb = [number, number, number];

/** The panel's own ground, on a white page. */
const panelGround: Rgb = [0xf4, 0xf1, 0xef];

/** Undefined when the style sets no text colour that we can read; else the ratio against its own or the panel's ground. */
export function styleContrast(style: string): number | undefined {
  const color = readColor(declaration(style, "color"));
  if (!color) return undefined;
  const ground = readColor(declaration(style, "background-color") ?? declaration(style, "background")) ?? panelGround;
  const [lighter, darker] = [luminance(color), luminance(ground)].sort((a, b) => b - a) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

function declaration(style: string, property: string): string | undefined {
  return new RegExp(`(?:^|;)\\s*${property}\\s*:\\s*([^;]+)`, "i").exec(style)?.[1]?.trim();
}

function readColor(text: string | undefined): Rgb | undefined {
  if (text === undefined) return undefined;
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(text);
  if (short) return short.slice(1).map((digit) => Number.parseInt(digit + digit, 16)) as Rgb;
  const long = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text);
  if (long) return long.slice(1).map((digits) => Number.parseInt(digits, 16)) as Rgb;
  const rgb = /^rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)$/i.exec(text);
  if (rgb) return rgb.slice(1).map(Number) as Rgb;
  return named[text.toLowerCase()];
}

/** The names that people use in notebooks. */
const named: Record<string, Rgb> = {
  black: [0, 0, 0],
  white: [255, 255, 255],
  red: [255, 0, 0],
  green: [0, 128, 0],
  blue: [0, 0, 255],
  gray: [128, 128, 128],
  grey: [128, 128, 128],
  orange: [255, 165, 0],
  yellow: [255, 255, 0],
};

function luminance(color: Rgb): number {
  const [r, g, b] = color.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Line charts as SVG, without a DOM: a training loop redraws one every few steps, so it must cost next to nothing. */
import { escapeHtml } from "./escape.js";

export interface ChartSeries {
  name: string;
  /** `[x, y]` pairs in order of x; points that are not finite are left out of the line and of the table. */
  points: readonly (readonly [number, number])[];
}

export interface ChartSpec {
  title: string;
  x_label?: string;
  y_label?: string;
  series: readonly ChartSeries[];
  /** In CSS pixels at full width; the picture scales with its column. Defaults 640 by 320. */
  width?: number;
  height?: number;
}

/** Distinct without colour vision (Okabe and Ito), at least 3:1 on white, and told apart by dashes as well. */
const styles = [
  { color: "#0072B2", dash: "" },
  { color: "#D55E00", dash: "6 3" },
  { color: "#007A5A", dash: "2 3" },
  { color: "#A0568A", dash: "8 3 2 3" },
] as const;

/**
 * The chart in every form a viewer may want: HTML (picture with alt text, and the numbers in a table), SVG, text.
 * The picture is an `<img>`, which survives JupyterLab's sanitiser even in a notebook that is not trusted.
 */
export function chartBundle(spec: ChartSpec): Record<string, unknown> {
  const svg = chartSvg(spec);
  const summary = chartSummary(spec);
  const html =
    `<figure class="kaisetsu-chart" style="margin:8px 0;max-width:${spec.width ?? 640}px">` +
    `<img alt="${escapeHtml(summary)}" style="max-width:100%;height:auto" width="${spec.width ?? 640}" height="${spec.height ?? 320}" ` +
    `src="data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}">` +
    `${chartTable(spec)}</figure>`;
  return { "text/html": html, "image/svg+xml": svg, "text/plain": summary };
}

/** A whole SVG document; titled and described for screen readers. */
export function chartSvg(spec: ChartSpec): string {
  const width = spec.width ?? 640;
  const height = spec.height ?? 320;
  const frame = { left: 64, right: width - 20, top: 52, bottom: height - 48 };
  const series = spec.series.map(({ name, points }) => ({
    name,
    points: points.filter((p) => p.every(Number.isFinite)),
  }));
  const all = series.flatMap(({ points }) => points);
  const xTicks = ticks(all.map(([x]) => x));
  const yTicks = ticks(all.map(([, y]) => y));
  const px = scale(xTicks, frame.left, frame.right);
  const py = scale(yTicks, frame.bottom, frame.top);

  const grid = yTicks
    .map(
      (y) =>
        `<path d="M${frame.left} ${py(y)}H${frame.right}" stroke="#E3DDD6"/><text x="${frame.left - 8}" y="${py(y)}" text-anchor="end" dominant-baseline="middle">${label(y)}</text>`,
    )
    .join("");
  const xAxis = xTicks
    .map(
      (x) =>
        `<path d="M${px(x)} ${frame.bottom}v5" stroke="#6B5344"/><text x="${px(x)}" y="${frame.bottom + 18}" text-anchor="middle">${label(x)}</text>`,
    )
    .join("");
  const lines = series.map(({ points }, i) => drawSeries(points, px, py, styles[i % styles.length]!)).join("");
  const legend = drawLegend(
    series.map(({ name }) => name),
    frame.left,
  );

  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ` +
    `font-family="system-ui,'Hiragino Sans','Noto Sans JP','Noto Sans CJK JP',sans-serif" font-size="12" fill="#3A2F27">` +
    `<title>${escapeHtml(spec.title)}</title><desc>${escapeHtml(chartSummary(spec))}</desc>` +
    `<rect width="${width}" height="${height}" rx="6" fill="#FFFFFF"/>` +
    `<text x="${frame.left}" y="20" font-size="14" font-weight="bold">${escapeHtml(spec.title)}</text>${legend}` +
    `${grid}<path d="M${frame.left} ${frame.bottom}H${frame.right}" stroke="#6B5344"/>${xAxis}${lines}` +
    (spec.x_label
      ? `<text x="${(frame.left + frame.right) / 2}" y="${height - 8}" text-anchor="middle">${escapeHtml(spec.x_label)}</text>`
      : "") +
    (spec.y_label
      ? `<text transform="translate(14 ${(frame.top + frame.bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(spec.y_label)}</text>`
      : "") +
    `</svg>`
  );
}

function drawSeries(
  points: readonly (readonly [number, number])[],
  px: (x: number) => number,
  py: (y: number) => number,
  { color, dash }: (typeof styles)[number],
): string {
  if (points.length === 0) return "";
  const path = points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${px(x)} ${py(y)}`).join("");
  const dots =
    points.length > 40
      ? ""
      : points.map(([x, y]) => `<circle cx="${px(x)}" cy="${py(y)}" r="2.5" fill="${color}"/>`).join("");
  return `<path d="${path}" fill="none" stroke="${color}" stroke-width="2" stroke-linejoin="round"${dash && ` stroke-dasharray="${dash}"`}/>${dots}`;
}

function drawLegend(names: readonly string[], left: number): string {
  let x = left;
  return names
    .map((name, i) => {
      const { color, dash } = styles[i % styles.length]!;
      const at = x;
      // Kana and kanji are about twice as wide as Latin letters.
      x += 44 + [...name].reduce((sum, character) => sum + (character.codePointAt(0)! > 0x2e80 ? 12 : 7), 0);
      return `<path d="M${at} 36h24" stroke="${color}" stroke-width="2"${dash && ` stroke-dasharray="${dash}"`}/><text x="${at + 30}" y="40">${escapeHtml(name)}</text>`;
    })
    .join("");
}

/** One sentence that gives the picture to somebody who cannot see it. */
export function chartSummary({ title, series }: ChartSpec): string {
  const parts = series.map(({ name, points }) => {
    const finite = points.filter((p) => p.every(Number.isFinite));
    const first = finite[0];
    const last = finite.at(-1);
    return first && last ? `${name} ${label(first[1])} → ${label(last[1])} (${finite.length})` : `${name} –`;
  });
  return `${title}: ${parts.join(", ")}`;
}

function chartTable({ series, x_label, title }: ChartSpec): string {
  const columns = series.map(
    ({ points }) => new Map(points.filter((p) => p.every(Number.isFinite)).map(([x, y]) => [x, y])),
  );
  const xs = [...new Set(columns.flatMap((column) => [...column.keys()]))].sort((a, b) => a - b);
  const head = [x_label ?? "x", ...series.map(({ name }) => name)].map(
    (name) => `<th scope="col">${escapeHtml(name)}</th>`,
  );
  const rows = xs.map((x) => {
    const cells = columns.map((column) => `<td>${column.has(x) ? label(column.get(x)!) : ""}</td>`);
    return `<tr><th scope="row">${label(x)}</th>${cells.join("")}</tr>`;
  });
  return (
    `<details><summary>数値の表：${escapeHtml(title)}</summary><table><thead><tr>${head.join("")}</tr></thead>` +
    `<tbody>${rows.join("")}</tbody></table></details>`
  );
}

/** About five round numbers that enclose the values: steps of 1, 2 or 5 times a power of ten. */
function ticks(values: readonly number[]): number[] {
  let low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  let high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (!(low <= high)) return [0, 1];
  if (low === high) {
    const pad = Math.abs(low) || 1;
    low -= pad / 2;
    high += pad / 2;
  }
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  // Multiplying instead of adding up keeps 0.30000000000000004 off the axis; a range below rounding error ends here too.
  return Array.from({ length: Math.min(last - first, 20) + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function scale(domain: readonly number[], from: number, to: number): (value: number) => number {
  const low = domain[0]!;
  const span = domain.at(-1)! - low || 1;
  return (value) => Math.round((from + ((value - low) / span) * (to - from)) * 10) / 10;
}

function label(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(5)));
}

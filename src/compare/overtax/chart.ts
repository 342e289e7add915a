// An overtax result as a picture (SVG): for each kind of noise what is left of the quiet guest's throughput, and how many times
// its p99 grows, over the rate of the noise.
import type { Overtax, OvertaxRow, QuietFigures } from "./result.ts";
import { noisyWords } from "./table.ts";

const PANEL = { width: 420, height: 190, left: 60, top: 64, gapX: 80, gapY: 74 };
const SERIES = [
  { key: "withoutBudgets", title: "without budgets", color: "#b4532a" },
  { key: "withBudgets", title: "with budgets", color: "#1f7a5c" },
] as const;

interface Panel {
  title: string;
  value(figures: QuietFigures): number;
  /** A line that stands for a promise at the last step. */
  limit: number;
  /** Upper end of the axis, and how a number on it is written. */
  most: number;
  label(value: number): string;
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
const fixed = (value: number) => String(Math.round(value * 10) / 10);

/** A round number at or above `value`: 2, 5, 10, 20, ... */
function roundUp(value: number): number {
  for (let power = 1; ; power *= 10) {
    for (const digit of [2, 5, 10]) if (digit * power >= value) return digit * power;
  }
}

function panelsOf({ what, steps }: OvertaxRow): Panel[] {
  const worst = Math.max(...steps.flatMap((it) => [it.withBudgets.p99Ratio, it.withoutBudgets.p99Ratio]));
  return [
    {
      title: `${what}: throughput that is left`,
      value: ({ throughputRatio }) => throughputRatio,
      limit: 0.95,
      most: 1.2,
      label: (value) => `${Math.round(value * 100)} %`,
    },
    {
      title: "p99, times that beside silent neighbours",
      value: ({ p99Ratio }) => p99Ratio,
      limit: 1.5,
      most: roundUp(worst),
      label: (value) => `${fixed(value)}x`,
    },
  ];
}

function drawPanel({ steps }: OvertaxRow, { title, value, limit, most, label }: Panel, x: number, y: number): string {
  const { width, height } = PANEL;
  const atX = (step: number) => fixed(x + (width * step) / (steps.length - 1));
  const atY = (figure: number) => fixed(y + height * (1 - Math.min(figure, most) / most));
  const marks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const level = atY(most * part);
    return (
      `<path class="grid" d="M${x} ${level}H${x + width}"/>` +
      `<text class="small" x="${x - 8}" y="${Number(level) + 4}" text-anchor="end">${label(most * part)}</text>`
    );
  });
  const names = steps.map(
    ({ times }, n) =>
      `<text class="small" x="${atX(n)}" y="${y + height + 18}" text-anchor="middle">${times === 0 ? "silent" : `${times}x`}</text>`,
  );
  const lines = SERIES.map(({ key, color }) => {
    const points = steps.map((step, n) => [atX(n), atY(value(step[key]))]);
    const dots = points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${color}"/>`).join("");
    return `<path d="M${points.map((point) => point.join(" ")).join("L")}" fill="none" stroke="${color}" stroke-width="2.5"/>${dots}`;
  });
  return [
    `<text class="title" x="${x}" y="${y - 12}">${escaped(title)}</text>`,
    ...marks,
    `<path class="limit" d="M${x} ${atY(limit)}H${x + width}"/>`,
    ...names,
    ...lines,
  ].join("\n  ");
}

/** A document of its own. */
export function drawOvertax({ rows, cores, noisyGuests }: Overtax): string {
  const { width, height, left, top, gapX, gapY } = PANEL;
  const whole = [left * 2 + width * 2 + gapX, top + 40 + rows.length * (height + gapY)];
  const panels = rows.flatMap((row, n) =>
    panelsOf(row).map((panel, column) =>
      drawPanel(row, panel, left + column * (width + gapX), top + 40 + n * (height + gapY)),
    ),
  );
  const legend = SERIES.map(
    ({ title, color }, n) =>
      `<circle cx="${left + 6 + n * 170}" cy="52" r="5" fill="${color}"/>` +
      `<text class="text" x="${left + 18 + n * 170}" y="57">${title}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="What noisy guests cost a quiet one" viewBox="0 0 ${whole.join(" ")}" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="14">
  <style>
    .title { font-weight: 600; fill: #16213a }
    .text { fill: #33415c }
    .small { font-size: 12px; fill: #5a6b8a }
    .grid { stroke: #dfe5ef; fill: none }
    .limit { stroke: #33415c; stroke-dasharray: 5 4; fill: none }
  </style>
  <rect width="${whole[0]}" height="${whole[1]}" fill="#ffffff"/>
  <text class="title" x="${left}" y="30" font-size="17">A quiet guest beside ${noisyWords(noisyGuests)} on ${cores} cores; dashed: what is promised with budgets</text>
  ${[...legend, ...panels].join("\n  ")}
</svg>
`;
}

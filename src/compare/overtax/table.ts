// An overtax result as text: a line a step, with a bar for what is left of the quiet guest's throughput.
import { figure } from "../table.ts";
import type { Overtax, OvertaxRow, QuietFigures } from "./result.ts";

const HEADINGS = ["noise", "asked", "done", "requests/s", "left", "", "p50 us", "p99 us", "p99 times"];
/** Characters of a whole bar. */
const BAR = 20;
/** What the project promised of ten times the budget. */
export const LEAST_THROUGHPUT = 0.95;
export const MOST_P99 = 1.5;

function cells(times: number, budget: number, it: QuietFigures): string[] {
  return [
    times === 0 ? "silent" : `${times}x`,
    times === 0 ? "" : figure(budget * times),
    times === 0 ? "" : figure(it.done),
    figure(it.throughput),
    `${Math.round(it.throughputRatio * 100)} %`,
    "#".repeat(Math.round(Math.min(it.throughputRatio, 1.2) * BAR)),
    figure(it.p50),
    figure(it.p99),
    it.p99Ratio.toFixed(2),
  ];
}

function block({ what, budget, steps }: OvertaxRow): string[] {
  const lines: string[][] = [HEADINGS];
  const titles = new Map<number, string>();
  for (const [key, title] of [
    ["withoutBudgets", "without budgets"],
    ["withBudgets", `with a budget of ${figure(budget)} a second each`],
  ] as const) {
    titles.set(lines.length, title);
    for (const step of steps) lines.push(cells(step.times, budget, step[key]));
  }
  const widths = HEADINGS.map((_, n) => Math.max(...lines.map((line) => line[n].length)));
  const text = lines.map((line) =>
    line
      .map((cell, n) => (n === 0 || n === 5 ? cell.padEnd(widths[n]) : cell.padStart(widths[n])))
      .join("  ")
      .trimEnd(),
  );
  return [
    `-- ${what} `.padEnd(72, "-"),
    ...text.flatMap((line, n) => (titles.has(n) ? [`${titles.get(n)}:`, line] : [line])),
    "",
  ];
}

/** What ten times the budget costs the neighbour, in a sentence a kind of noise. */
export function overtaxConclusion({ rows }: Overtax): string[] {
  return rows.map(({ what, steps }) => {
    const { times, withBudgets, withoutBudgets } = steps[steps.length - 1];
    const said = ({ throughputRatio, p99Ratio }: QuietFigures) =>
      `${Math.round(throughputRatio * 100)} % of its throughput and ${p99Ratio.toFixed(2)} times its p99`;
    return `${what}: beside ${times} times the budget the quiet guest has ${said(withoutBudgets)} without budgets, ${said(withBudgets)} with them.`;
  });
}

/** "2 noisy ones", and a proper word for one. */
export function noisyWords(count: number): string {
  return count === 1 ? "a noisy one" : `${count} noisy ones`;
}

export function formatOvertax(overtax: Overtax): string {
  const { cores, noisyGuests, quiet, rows } = overtax;
  const head = [
    `A quiet guest beside ${noisyWords(noisyGuests)} on ${cores} cores, each in a worker of its own.`,
    `Quiet: ${quiet}.`,
    "asked and done: operations a second of each noisy guest; left and p99 times: against silent neighbours in the same round",
    "",
  ];
  return [...head, ...rows.flatMap(block), ...overtaxConclusion(overtax), ""].join("\n");
}

// A comparison as text: a line a path, the emulated one first, and a legend.
import { type Comparison, lessIsBetter, type Path, type Row, type Unit } from "./result.ts";

/** Below this much, two figures are called equal: five per cent. */
const SAME = 1.05;

const FORMS: Record<Path["form"], string> = { emulated: "emulated", paravirt: "paravirtual", direct: "direct" };

/** Three significant digits, thousands apart. */
export function figure(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(size >= 10 ? 1 : 2);
}

/** How much better `path` does than `base`: above 1 it is faster. */
export function speedup(unit: Unit, base: Path | undefined, path: Path): number | undefined {
  if (!base?.value || !path.value) return undefined;
  return lessIsBetter(unit) ? base.value / path.value : path.value / base.value;
}

function verdict(unit: Unit, ratio: number | undefined): string {
  if (ratio === undefined) return "";
  const [better, worse] = lessIsBetter(unit) ? ["sooner", "later"] : ["faster", "slower"];
  if (ratio > SAME) return `${times(ratio)} ${better}`;
  if (ratio < 1 / SAME) return `${times(1 / ratio)} ${worse}`;
  return "the same within 5 %";
}

function times(ratio: number): string {
  return `${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(ratio < 1.2 ? 2 : 1)}x`;
}

function emulated(row: Row): Path | undefined {
  return row.paths.find((path) => path.form === "emulated");
}

const HEADINGS = ["", "path", "form", "", "against emulated", "per", "exits", "instructions", "host CPU us", ""];
/** Columns of figures, which are aligned at their right ends. */
const RIGHT = [3, 6, 7, 8];

function pathCells(row: Row, path: Path): string[] {
  const mark = `[${path.boot + 1}]`;
  const start = [path.device, FORMS[path.form]];
  if (path.value === null) return [...start, "failed", "", "", "", "", "", mark];
  const ratio = path.form === "emulated" ? undefined : speedup(row.unit, emulated(row), path);
  return [
    ...start,
    `${figure(path.value)} ${row.unit}`,
    verdict(row.unit, ratio),
    row.operation,
    figure(path.exits),
    figure(path.instructions),
    figure(path.host.cpuMicroseconds),
    mark,
  ];
}

function align(lines: string[][]): string[] {
  const widths = HEADINGS.map((_, i) => Math.max(...lines.map((cells) => cells[i]?.length ?? 0)));
  return lines.map((cells) =>
    cells
      .map((cell, i) => (RIGHT.includes(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join("  ")
      .trimEnd(),
  );
}

/** What the table shows, in a sentence or two that hold for these very figures. */
export function conclusion({ rows }: Comparison): string {
  const pairs = rows.flatMap((row) => {
    const base = emulated(row);
    return row.paths
      .filter((path) => path !== base)
      .map((path) => ({ row, path, base, ratio: speedup(row.unit, base, path) }))
      .filter((pair) => pair.ratio !== undefined) as { row: Row; path: Path; base: Path; ratio: number }[];
  });
  if (pairs.length === 0) return "No path could be compared with an emulated one.";
  const ahead = pairs.filter(({ ratio }) => ratio > SAME);
  const behind = pairs.filter(({ ratio }) => ratio < 1 / SAME);
  const equal = pairs.length - ahead.length - behind.length;
  const fewer = (kind: "exits" | "instructions") => pairs.filter(({ path, base }) => path[kind] < base[kind]).length;
  const best = pairs.reduce((a, b) => (b.ratio > a.ratio ? b : a));
  const sentence =
    `Of ${pairs.length} paths beside an emulated one, ${ahead.length} did better, ${behind.length} worse` +
    `${equal > 0 ? `, ${equal} the same` : ""}; ${fewer("exits")} took fewer exits and ` +
    `${fewer("instructions")} fewer guest instructions.`;
  if (best.ratio <= SAME) return sentence;
  const gain = `${best.row.workload} by ${best.path.device} (${verdict(best.row.unit, best.ratio)} than ${best.base.device})`;
  return `${sentence} Most was gained in ${gain}.`;
}

const LEGEND = [
  "exits: accesses to device registers and calls to the hypervisor; with instructions and host CPU time, for each operation",
  "[n]: the boot in which it was measured; figures of different boots differ by a little more than those of one",
];

export function formatComparison(comparison: Comparison): string {
  const { guest, rows } = comparison;
  const clock = guest.clock === "virtual" ? "counted in instructions (virtual clock)" : "the host's clock";
  const body = rows.flatMap((row) =>
    row.paths.map((path, i) => [i === 0 ? `${row.function}: ${row.workload}` : "", ...pathCells(row, path)]),
  );
  const [heading, ...lines] = align([HEADINGS, ...body]);
  // A rule between rows.
  const rule = "-".repeat(Math.max(...[heading, ...lines].map((line) => line.length)));
  const table: string[] = [heading];
  let next = 0;
  for (const row of rows) {
    table.push(rule, ...lines.slice(next, next + row.paths.length));
    next += row.paths.length;
  }
  const errors = rows.flatMap((row) =>
    row.paths.flatMap(({ device, error }) => (error ? [`failed: ${row.workload}, ${device}: ${error}`] : [])),
  );
  const boots = guest.boots.map((boot, i) => `[${i + 1}] ${boot}`);
  const head = `${guest.name === "debian" ? `Debian: ${guest.version}` : "The probe"}; guest time is ${clock}`;
  return [head, "", ...table, rule, "", ...errors, ...LEGEND, ...boots, "", conclusion(comparison), ""].join("\n");
}

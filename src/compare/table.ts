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

const HEADINGS = [
  "workload",
  "path",
  "form",
  "",
  "against emulated",
  "per",
  "exits",
  "instructions",
  "host CPU us",
  "",
];
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

/** Cells as a line; `rest` follows them without a column of its own. */
interface Line {
  cells: string[];
  rest?: string;
}

function align(lines: Line[]): string[] {
  const widths = HEADINGS.map((_, i) => Math.max(...lines.map(({ cells }) => cells[i]?.length ?? 0)));
  return lines.map(({ cells, rest }) => {
    const padded = cells.map((cell, i) => (RIGHT.includes(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])));
    return [...padded, ...(rest === undefined ? [] : [rest])].join("  ").trimEnd();
  });
}

function rowLines(row: Row): Line[] {
  const paths = row.paths.map((path): Line => ({ cells: pathCells(row, path) }));
  const absent = row.absent.map(
    ({ device, form, reason }): Line => ({ cells: [device, FORMS[form]], rest: `not driven: ${reason}` }),
  );
  return [...paths, ...absent].map(({ cells, rest }, i) => ({ cells: [i === 0 ? row.workload : "", ...cells], rest }));
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
  const body = rows.map(rowLines);
  const entries: Line[] = [{ cells: HEADINGS }, ...body.flat()];
  const [heading, ...lines] = align(entries);
  const width = Math.max(...[heading, ...lines].filter((_, i) => entries[i].rest === undefined).map((it) => it.length));
  const rule = "-".repeat(width);
  const table: string[] = [heading];
  let next = 0;
  for (const [i, row] of rows.entries()) {
    // A rule before each function, with its name, and an empty line between its rows.
    const isFirst = rows[i - 1]?.function !== row.function;
    table.push(isFirst ? `-- ${row.function} `.padEnd(width, "-") : "", ...lines.slice(next, next + body[i].length));
    next += body[i].length;
  }
  const errors = rows.flatMap((row) =>
    row.paths.flatMap(({ device, error }) => (error ? [`failed: ${row.workload}, ${device}: ${error}`] : [])),
  );
  const boots = guest.boots.map((boot, i) => `[${i + 1}] ${boot}`);
  const head = `${guest.name === "debian" ? `Debian: ${guest.version}` : "The probe"}; guest time is ${clock}`;
  return [head, "", ...table, rule, "", ...errors, ...LEGEND, ...boots, "", conclusion(comparison), ""].join("\n");
}

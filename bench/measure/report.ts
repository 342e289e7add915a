// What a benchmark reports, and how it is printed: a table, the marks it is held to, and
// what a reader must know to understand the figures.

export interface Column {
  key: string;
  title: string;
  /** Digits after the point. Default: 0 */
  digits?: number;
}

export type Row = Record<string, string | number | undefined>;

/** A figure that the project promised. */
export interface Mark {
  what: string;
  value: number;
  limit: number;
  /** Which side of the limit is good. */
  atLeast: boolean;
  unit: string;
}

export interface Report {
  columns: Column[];
  rows: Row[];
  marks: Mark[];
  notes: string[];
}

/** What a benchmark is given. */
export interface Context {
  /** A first impression in seconds instead of figures to publish. */
  quick: boolean;
  progress(line: string): void;
}

export interface Benchmark {
  question: string;
  run(context: Context): Promise<Report>;
}

export function isReached({ value, limit, atLeast }: Mark): boolean {
  return atLeast ? value >= limit : value <= limit;
}

function cell(value: string | number | undefined, digits: number): string {
  if (value === undefined) return "";
  return typeof value === "number" ? value.toFixed(digits) : value;
}

export function formatTable(columns: readonly Column[], rows: readonly Row[]): string {
  const texts = rows.map((row) => columns.map(({ key, digits = 0 }) => cell(row[key], digits)));
  const isText = columns.map(({ key }) => rows.every((row) => typeof row[key] !== "number"));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...texts.map((line) => line[i].length)));
  const join = (line: readonly string[]) =>
    line
      .map((text, i) => (isText[i] ? text.padEnd(widths[i]) : text.padStart(widths[i])))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [join(columns.map(({ title }) => title)), rule, ...texts.map(join)].join("\n");
}

export function formatReport(question: string, { columns, rows, marks, notes }: Report): string {
  const lines = [question, "", formatTable(columns, rows), ""];
  for (const mark of marks) {
    const { what, value, limit, atLeast, unit } = mark;
    const side = atLeast ? "at least" : "at most";
    lines.push(
      `${isReached(mark) ? "reached" : "MISSED "}  ${what}: ${figure(value)}${unit}, ${side} ${limit}${unit} wanted`,
    );
  }
  lines.push(...notes.map((note) => `note     ${note}`));
  return `${lines.join("\n")}\n`;
}

/** Three digits that mean something. */
export function figure(value: number): string {
  return String(Number(value.toPrecision(3)));
}

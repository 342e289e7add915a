// Text in columns, as wide as their longest cell, two spaces apart.

/** Lines of `rows`, all as long as the first; figures stand at the right ends of columns that are not left. */
export function columns(
  rows: readonly (readonly string[])[],
  isLeft: (column: number) => boolean = () => true,
): string[] {
  const widths = rows[0].map((_, n) => Math.max(...rows.map((row) => row[n].length)));
  return rows.map((row) =>
    row
      .map((text, n) => (isLeft(n) ? text.padEnd(widths[n]) : text.padStart(widths[n])))
      .join("  ")
      .trimEnd(),
  );
}

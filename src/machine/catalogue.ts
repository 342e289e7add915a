// Every function of the machine and the forms it comes in. One row a form: the device tree
// takes compatible strings, addresses and interrupts from here, the compatibility check takes
// what a guest's driver must match, and the README's table is printed from it.
import { HART_ROWS } from "./catalogue-harts.ts";
import { IO_ROWS } from "./catalogue-io.ts";
import type { CatalogueRow, Form } from "./catalogue-row.ts";

export type { CatalogueRow, Form } from "./catalogue-row.ts";

export const CATALOGUE = [...HART_ROWS, ...IO_ROWS] as const;

export type CatalogueId = (typeof CATALOGUE)[number]["id"];

export function catalogueRow(id: CatalogueId): CatalogueRow {
  return CATALOGUE.find((row) => row.id === id) as CatalogueRow;
}

/** The catalogue as a Markdown table: a function a line, its forms side by side. */
export function catalogueTable(): string {
  const rows: CatalogueRow[] = [...CATALOGUE];
  const cell = (name: string, form: Form) =>
    rows
      .filter((row) => row.function === name && row.form === form)
      .map((row) => row.description)
      .join("; ");
  const functions = [...new Set(rows.map((row) => row.function))];
  const table = [
    ["function", "emulated", "paravirtual", "direct"],
    ...functions.map((name) => [name, cell(name, "emulated"), cell(name, "paravirt"), cell(name, "direct")]),
  ];
  const widths = table[0].map((_, column) => Math.max(...table.map((line) => line[column].length)));
  const lines = table.map((line) => `| ${line.map((text, column) => text.padEnd(widths[column])).join(" | ")} |`);
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return lines.join("\n");
}

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CATALOGUE, type CatalogueRow, catalogueRow, catalogueTable } from "../../src/machine/catalogue.ts";

const rows: CatalogueRow[] = [...CATALOGUE];

it("names each row once, and places every MMIO device", () => {
  expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
  for (const row of rows) {
    expect(row.transport === "mmio", row.id).toBe(row.base !== undefined && row.size !== undefined);
    expect(row.compatible.length, row.id).toBeGreaterThan(0);
  }
  expect(catalogueRow("ns16550a").irq).toBe(10);
});

it("has an emulated and a paravirtual form of what is compared", () => {
  for (const name of ["console", "block", "timer"]) {
    const forms = rows.filter((row) => row.function === name).map((row) => row.form);
    expect(forms, name).toEqual(expect.arrayContaining(["emulated", "paravirt"]));
  }
});

it("is the table in the README", () => {
  const readme = readFileSync(new URL("../../src/machine/README.md", import.meta.url), "utf8");
  expect(readme).toContain(`<!-- catalogue -->\n${catalogueTable()}\n<!-- /catalogue -->`);
});

// paravane devices [--json]: every function of the machine in every form, and what drives it.
import { CATALOGUE, type CatalogueRow, type Form } from "../machine/catalogue.ts";
import { columns } from "./columns.ts";

export interface DevicesArguments {
  json?: boolean;
}

/** A row as scripts get it. */
export interface DeviceRow {
  function: string;
  form: Form;
  device: string;
  spec: string;
  driver: string;
  config: string;
}

function rowsOf(catalogue: readonly CatalogueRow[]): DeviceRow[] {
  return catalogue.map(({ id, function: name, form, spec, driver, config }) => ({
    function: name,
    form,
    device: id,
    spec,
    driver,
    config,
  }));
}

export function printDevices(options: DevicesArguments): void {
  const rows = rowsOf(CATALOGUE);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const config = (row: DeviceRow) => (row.config === "" ? "" : `CONFIG_${row.config}`);
  // Rows of one function stand together, and say its name once.
  const functions = [...new Set(rows.map((row) => row.function))];
  const lines = functions.flatMap((name) =>
    rows
      .filter((row) => row.function === name)
      .map((row, i) => [i === 0 ? name : "", row.form, row.device, row.spec, row.driver, config(row)]),
  );
  const text = columns([["function", "form", "device", "specification", "Linux driver", "option"], ...lines]);
  process.stdout.write(`${text.join("\n")}\n`);
}

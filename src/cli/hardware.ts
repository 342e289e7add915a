// paravane hardware [--json]: what this host offers its guests, in the terms of their drivers.
import type { HardwareModel } from "../compat/hardware-model.ts";
import { hardwareModel } from "../index.ts";
import { columns } from "./columns.ts";

export interface HardwareArguments {
  json?: boolean;
}

/** "4 KiB" */
export function pageSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  return `${bytes / 1024 ** power} ${units[power]}`;
}

function describe({ isa, pageSizes, devices, host = undefined }: HardwareModel): string[] {
  const functions = [...new Set(devices.map((device) => device.function))];
  const rows = functions.flatMap((name) =>
    devices
      .filter((device) => device.function === name)
      .map(({ form, device, features }, i) => [i === 0 ? name : "", form, device, features.join(" ")]),
  );
  const has = Object.entries(host ?? {}).map(([name, is]) => `${name} ${is ? "yes" : "no"}`);
  return [
    `isa    ${isa}`,
    `pages  ${pageSizes.map(pageSize).join(", ")}`,
    ...(has.length > 0 ? [`host   ${has.join(", ")}`] : []),
    "",
    ...columns([["function", "form", "device", "features"], ...rows]),
  ];
}

export async function printHardware({ json }: HardwareArguments): Promise<void> {
  const model = await hardwareModel();
  const text = json ? JSON.stringify(model, null, 2) : describe(model).join("\n");
  process.stdout.write(`${text}\n`);
}

// npm run bench [-- NAME...] [--quick] [--json F]: runs benchmarks and prints what they found.
import { writeFileSync } from "node:fs";
import { cpus, release, type } from "node:os";
import { parseArgs } from "node:util";
import { boot } from "./boot.ts";
import { debianPrograms } from "./debian-programs.ts";
import { device } from "./device.ts";
import { disks } from "./disks.ts";
import { flood } from "./flood.ts";
import { fp } from "./fp.ts";
import { hypercalls } from "./hypercalls.ts";
import { interpreter } from "./interpreter.ts";
import { interrupts } from "./interrupts.ts";
import { linuxKernels } from "./linux-kernels.ts";
import { manyGuests } from "./many-guests.ts";
import { type Benchmark, formatReport, isReached, type Report } from "./measure/report.ts";
import { memory } from "./memory.ts";
import { network } from "./network.ts";
import { overtax } from "./overtax.ts";
import { systemdBoot } from "./systemd-boot.ts";
import { translator } from "./translator.ts";

const BENCHMARKS: Record<string, Benchmark> = {
  interpreter,
  translator,
  "linux-kernels": linuxKernels,
  "debian-programs": debianPrograms,
  boot,
  "systemd-boot": systemdBoot,
  device,
  disks,
  interrupts,
  hypercalls,
  memory,
  "many-guests": manyGuests,
  overtax,
  flood,
  network,
  fp,
};

function machine(): Record<string, string | number> {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    processors: processors.length,
    system: `${type()} ${release()} ${process.arch}`,
    node: process.version,
    date: new Date().toISOString(),
  };
}

function chosen(names: readonly string[]): string[] {
  for (const name of names) {
    if (BENCHMARKS[name] === undefined) {
      throw new Error(`no benchmark ${name}: there are ${Object.keys(BENCHMARKS).join(", ")}`);
    }
  }
  return names.length > 0 ? [...names] : Object.keys(BENCHMARKS);
}

/** True if every mark was reached. */
export async function main(args: string[]): Promise<boolean> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { quick: { type: "boolean", default: false }, json: { type: "string" } },
  });
  const names = chosen(positionals);
  // Found out before minutes of measuring: the file can be written.
  if (values.json !== undefined) writeFileSync(values.json, "");
  const reports: Record<string, Report> = {};
  for (const name of names) {
    const progress = (line: string): void => {
      process.stderr.write(`bench: ${name}: ${line}\n`);
    };
    reports[name] = await BENCHMARKS[name].run({ quick: values.quick, progress });
    process.stdout.write(`\n${formatReport(BENCHMARKS[name].question, reports[name])}`);
  }
  if (values.quick) process.stdout.write("\nA quick run: one round, a first impression only.\n");
  if (values.json !== undefined) {
    const document = { schema: 1, quick: values.quick, machine: machine(), benchmarks: reports };
    writeFileSync(values.json, `${JSON.stringify(document, null, 2)}\n`);
  }
  return Object.values(reports).every(({ marks }) => marks.every(isReached));
}

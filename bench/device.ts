// What does an access to a device cost the host: an exit that does nothing, and a request
// to a disk of each form?
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Comparison, failures, runCompare } from "../src/compare/index.ts";
import { createGuest } from "../src/index.ts";
import { nodePlatform } from "../src/platform/node/platform.ts";
import { buildKernel } from "./kernels/build.ts";
import { runBareMetal } from "./measure/bare-metal.ts";
import { ownCpu } from "./measure/cpu-time.ts";
import type { Benchmark, Context, Report, Row } from "./measure/report.ts";
import { inTurns } from "./measure/rounds.ts";
import { median } from "./measure/statistics.ts";
import { findQemu, runOnQemu } from "./peer/qemu.ts";

const LIMIT = { limitSeconds: 60 };
/** Reads in a round of kernels/uart-read.c. */
const READS = 1000;
const PROBE = fileURLToPath(new URL("./probe/probe.elf", import.meta.url));

/** Nanoseconds that a read of a UART register takes more than one of memory. */
async function emptyExit({ quick, progress }: Context): Promise<Row[]> {
  const qemu = await findQemu(progress);
  const iterations = quick ? 2000 : 8000;
  const device = buildKernel("uart-read", iterations);
  const quiet = buildKernel("uart-read", iterations, { defines: ["QUIET"] });
  await runBareMetal(buildKernel("uart-read", 500), LIMIT);
  const ours = (program: string) => async () => (await runBareMetal(program, LIMIT)).cpu;
  const theirs = (program: string) => async () => (await runOnQemu(qemu, program, LIMIT.limitSeconds)).cpu;
  progress("an exit that does nothing");
  const samples = await inTurns(
    [
      { name: "paravane", run: ours(device) },
      { name: "paravane quiet", run: ours(quiet) },
      { name: "qemu", run: theirs(device) },
      { name: "qemu quiet", run: theirs(quiet) },
    ],
    quick ? 1 : 5,
  );
  const each = (name: string) => {
    const quietly = samples.get(`${name} quiet`) ?? [];
    const differences = (samples.get(name) ?? []).map((cpu, round) => cpu - quietly[round]);
    return (median(differences) * 1e6) / (iterations * READS);
  };
  const row = { operation: "read of a UART register", exits: 1 };
  return [
    { ...row, device: "paravane", ns: each("paravane") },
    { ...row, device: qemu.version.replace(/ \(.*/, ""), ns: each("qemu") },
  ];
}

async function probe({ quick, progress }: Context): Promise<Comparison> {
  const comparison = await runCompare({
    host: {
      createGuest: (options) => createGuest(options),
      startTimer: nodePlatform.startTimer,
      readProbe: () => readFile(PROBE),
      readWorkload: () => Promise.reject(new Error("the probe is no Linux")),
      cpuMicroseconds: () => ownCpu() * 1000,
      now: () => performance.now(),
    },
    guest: "probe",
    version: "bench/probe",
    machine: {},
    suites: ["block"],
    quick,
    progress,
  });
  for (const { device, error } of failures(comparison)) throw new Error(`the probe failed on ${device}: ${error}`);
  return comparison;
}

async function run(context: Context): Promise<Report> {
  const rows = await emptyExit(context);
  // Once to compile the devices' code, once to measure it.
  await probe({ ...context, quick: true });
  for (const { workload, paths } of (await probe(context)).rows) {
    for (const { device, exits, instructions, host } of paths) {
      rows.push({ operation: workload, device, ns: host.cpuMicroseconds * 1000, exits, instructions });
    }
  }
  return {
    columns: [
      { key: "operation", title: "operation" },
      { key: "device", title: "device" },
      { key: "ns", title: "host CPU ns" },
      { key: "exits", title: "exits", digits: 1 },
      { key: "instructions", title: "guest instructions" },
    ],
    rows,
    marks: [],
    notes: [
      "register reads: what they cost beyond reads of memory, the same bare-metal program on both",
      "disks: the probe guest (bench/probe), one request at a time, disk in memory; ns include the guest's instructions",
    ],
  };
}

export const device: Benchmark = { question: "What does an access to a device cost the host?", run };

// paravane compare: the same unmodified guest, the same function twice or three times over
// (emulated, paravirtual, direct), measured. Knows neither Node nor the command line.
import type { ClockKind } from "../guest/options.ts";
import { type Amounts, QUICK, STANDARD } from "./amounts.ts";
import { compareOnDebian, debianAbsences, debianBoots, debianTasks } from "./debian/index.ts";
import { compareOnProbe, PROBE_ALONE, PROBE_SUITES, probeTasks } from "./probe.ts";
import { type Comparison, type Row, SCHEMA, SUITES, type Suite } from "./result.ts";
import { type CompareHost, type Finding, pathOf, type Task } from "./work.ts";

export { type Amounts, BRIEF, QUICK, STANDARD } from "./amounts.ts";
export * from "./result.ts";
export { formatComparison } from "./table.ts";
export type { CompareGuestOptions, CompareHost } from "./work.ts";

export interface CompareOptions {
  host: CompareHost;
  guest: "debian" | "probe";
  /** The guest's version, for people. */
  version: string;
  /** What is under `machine` in the result. */
  machine: Record<string, string | number>;
  /** Default: all. */
  suites?: readonly Suite[];
  /** "virtual" makes all but `machine` and `host` repeat exactly. */
  clock?: ClockKind;
  seed?: bigint;
  /** Fewer operations, and one boot of Debian fewer: no kernel messages by SBI DBCN. */
  quick?: boolean;
  /** How much each workload does, where neither the standard nor the quick amounts will do. */
  amounts?: Amounts;
  /** Hears of each step. */
  progress?(line: string): void;
}

/** Boots the guest as often as the paths need, and measures them. A path that fails is in the result, with the reason. */
export async function runCompare(options: CompareOptions): Promise<Comparison> {
  const { host, guest, version, machine, suites = SUITES, clock = "host", seed, quick = false } = options;
  const amounts = options.amounts ?? (quick ? QUICK : STANDARD);
  const progress = options.progress ?? (() => {});
  const findings = new Map<Task, { boot: number; finding: Finding | Error }>();
  const common = {
    host,
    clock,
    seed,
    progress,
    found: (task: Task, boot: number, finding: Finding | Error) => void findings.set(task, { boot, finding }),
  };

  let tasks: Task[];
  let boots: string[];
  if (guest === "debian") {
    const virtual = clock === "virtual";
    if (virtual && suites.includes("network")) {
      // What comes over a network comes when the host has time for it: no run of that repeats.
      progress("network: needs the host's clock, so it is left out");
    }
    const run = debianTasks(amounts, suites, debianBoots({ quick, virtual }));
    const alone = probeTasks(
      amounts,
      suites.filter((suite) => PROBE_ALONE.includes(suite)),
    );
    boots = await compareOnDebian({ ...common, tasks: run });
    const first = boots.length;
    const found = (task: Task, boot: number, finding: Finding | Error) => common.found(task, first + boot, finding);
    boots.push(...(await compareOnProbe({ ...common, tasks: alone, found })));
    tasks = [...run, ...alone];
  } else {
    const foreign = suites.filter((suite) => !PROBE_SUITES.includes(suite));
    if (options.suites && foreign.length > 0)
      progress(`${foreign.join(", ")}: left out, the probe has no driver for it`);
    const run = probeTasks(amounts, suites);
    boots = await compareOnProbe({ ...common, tasks: run });
    tasks = run;
  }

  const rows: Row[] = [];
  for (const task of tasks) {
    const { function: name, workload, unit, operation } = task;
    let row = rows.find((it) => it.function === name && it.workload === workload);
    if (row === undefined) {
      row = { function: name, workload, unit, operation, paths: [], absent: [] };
      rows.push(row);
    }
    const { boot, finding } = findings.get(task) ?? { boot: 0, finding: new Error("it was not measured") };
    row.paths.push(pathOf(task, boot, finding));
  }
  if (guest === "debian") {
    for (const { function: name, workload, ...absence } of debianAbsences()) {
      rows.find((it) => it.function === name && it.workload === workload)?.absent.push(absence);
    }
  }
  const facts = { name: guest, version, clock, ...(seed !== undefined && { seed: String(seed) }), boots };
  return { schema: SCHEMA, machine, guest: facts, rows };
}

/** The paths that failed. */
export function failures(comparison: Comparison): { row: Row; device: string; error: string }[] {
  return comparison.rows.flatMap((row) =>
    row.paths.flatMap(({ device, error }) => (error === undefined ? [] : [{ row, device, error }])),
  );
}

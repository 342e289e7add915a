// The comparison on the probe (bench/probe): no operating system, so it shows what a path
// itself costs. One boot as a kernel, for all that S-mode can reach; one in place of M-mode
// firmware, for the CLINT. Windows are cut at the probe's marker lines; what the markers
// themselves cost is measured in each boot and taken off.
import { Timebase } from "../../assembly/abi/memory-map.ts";
import type { Guest } from "../guest/guest.ts";
import type { ClockKind, OutputPort } from "../guest/options.ts";
import { defineHypercall } from "../hypercall/define-hypercall.ts";
import type { Amounts } from "./amounts.ts";
import { between, beyond, type Snapshot, snapshot, type Usage } from "./meter.ts";
import type { Suite } from "./result.ts";
import { type CompareGuestOptions, type CompareHost, type Finding, type Task, watchedDisk, within } from "./work.ts";

type Mode = "s" | "m";

export interface ProbeTask extends Task {
  mode: Mode;
  /** The workload, as the probe's bootargs say it. */
  item: string;
  operations: number;
  value(result: Result): Pick<Finding, "value" | "range">;
}

/** key=value words of a result line. */
export type Result = Record<string, string>;

const KIB = 1024;
const TICKS_PER_US = Timebase.HZ / 1e6;
/** Host time that a boot may take, in ms. */
const PATIENCE = 120_000;

function number(result: Result, key: string): number {
  const value = Number(result[key]);
  if (!Number.isFinite(value)) throw new Error(`the probe's result has no number ${key}`);
  return value;
}

function seconds(result: Result): number {
  return number(result, "ticks") / Timebase.HZ;
}

/** Bytes a second over `unit`. */
function throughput(unit: number): ProbeTask["value"] {
  return (result) => ({ value: number(result, "bytes") / seconds(result) / unit });
}

function consoles({ terminal }: Amounts): ProbeTask[] {
  const row = { function: "console", workload: "text, 64 bytes a write", unit: "kB/s", operation: "KiB" } as const;
  const path = (form: Task["form"], device: string, word: string): ProbeTask => ({
    ...row,
    form,
    device,
    mode: "s",
    item: `console=${word} bytes=${terminal.measured * KIB}`,
    operations: terminal.measured,
    value: throughput(1000),
  });
  return [
    path("emulated", "ns16550a", "uart"),
    path("paravirt", "virtio-console", "virtio"),
    path("paravirt", "SBI DBCN", "dbcn"),
  ];
}

function disks({ random, sequential }: Amounts): ProbeTask[] {
  const kinds = [
    { workload: "4 KiB random read, depth 1", op: "randread", bs: 4096, count: random.measured, unit: "IOPS" },
    { workload: "128 KiB sequential read", op: "read", bs: 128 * KIB, count: sequential.measured, unit: "MB/s" },
    { workload: "128 KiB sequential write", op: "write", bs: 128 * KIB, count: sequential.measured, unit: "MB/s" },
  ] as const;
  return kinds.flatMap(({ workload, op, bs, count, unit }) => {
    const path = (form: Task["form"], device: string, word: string): ProbeTask => ({
      function: "block",
      workload,
      unit,
      operation: op === "write" ? "write" : "read",
      form,
      device,
      mode: "s",
      item: `block=${word} op=${op} bs=${bs} count=${count} verify=no`,
      operations: count,
      value: unit === "IOPS" ? (result) => ({ value: number(result, "ops") / seconds(result) }) : throughput(1e6),
    });
    return [path("emulated", "nvme", "nvme"), path("paravirt", "virtio-blk", "virtio")];
  });
}

function timers({ expiries }: Amounts): ProbeTask[] {
  const row = {
    function: "timer",
    workload: "interrupt latency, 1 ms ahead",
    unit: "us",
    operation: "expiry",
  } as const;
  const path = (form: Task["form"], device: string, mode: Mode, word: string): ProbeTask => ({
    ...row,
    form,
    device,
    mode,
    item: `timer=${word} count=${expiries.measured} period=${Timebase.HZ / 1000}`,
    operations: expiries.measured,
    value: (result) => ({ value: number(result, "late_sum") / expiries.measured / TICKS_PER_US }),
  });
  return [
    path("emulated", "CLINT, M-mode", "m", "clint"),
    path("paravirt", "SBI TIME", "s", "sbi"),
    path("direct", "Sstc", "s", "sstc"),
  ];
}

/** The call that whoever runs the probe defines for it (bench/probe/src/sbi.c). */
const HOST_CALL = defineHypercall({ eid: 0x0a00_0001, fid: 0, name: "nothing", handler: () => 0 });

/** Operations in a beat of the probe's loads. */
const BURST = 1000;

function calls({ calls: amount }: Amounts): ProbeTask[] {
  const row = { function: "hypercalls", workload: "a call that does nothing", unit: "ns", operation: "call" } as const;
  const path = (form: Task["form"], device: string, word: string, share: number): ProbeTask => {
    const beats = Math.ceil(amount.measured / share / BURST);
    return {
      ...row,
      form,
      device,
      mode: "s",
      item: `load=${word} burst=${BURST} period=0 count=${beats}`,
      operations: beats * BURST,
      value: (result) => ({ value: (number(result, "ticks") / TICKS_PER_US / (beats * BURST)) * 1000 }),
    };
  };
  return [
    path("emulated", "ns16550a register read", "register", 2),
    path("paravirt", "null call, in the engine", "null", 1),
    path("paravirt", "call of a host function", "host", 4),
  ];
}

/** What the probe has drivers for. */
export const PROBE_SUITES: readonly Suite[] = ["console", "block", "timer", "hypercalls"];
/** What is measured on the probe alone: no program of Debian's makes calls of its own. */
export const PROBE_ALONE: readonly Suite[] = ["hypercalls"];

export function probeTasks(amounts: Amounts, suites: readonly Suite[]): ProbeTask[] {
  const all = [...consoles(amounts), ...disks(amounts), ...timers(amounts), ...calls(amounts)];
  return all.filter((task) => suites.includes(task.function));
}

const DESCRIPTIONS: Record<Mode, string> = {
  s: "the probe as a kernel in S-mode, with SBI and Sstc",
  m: "the probe in M-mode, in place of firmware",
};

/** What one boot said: workload numbers begin at 1, and 1 is the calibration. */
class Report {
  readonly begins = new Map<number, Snapshot>();
  readonly ends = new Map<number, Snapshot>();
  readonly results = new Map<number, Result>();
  readonly errors = new Map<number, string>();
  /** Why there is nothing more to come. */
  over: string | undefined;
  #line = "";
  readonly #take: () => Snapshot;

  constructor(take: () => Snapshot) {
    this.#take = take;
  }

  /** Takes output of the control console. The last byte of a line is the moment that counts. */
  see(bytes: Uint8Array): void {
    const lines = (this.#line + new TextDecoder().decode(bytes)).split("\n");
    // A line of the probe's is short; a text without end is not one.
    this.#line = lines.pop()?.slice(-1024) ?? "";
    for (const line of lines) this.#seeLine(line.trim());
  }

  #seeLine(line: string): void {
    const match = /^probe: (\w+) (\S+) ?(.*)$/.exec(line);
    if (match === null) return;
    const [, word, which, rest] = match;
    const workload = Number(which);
    if (word === "begin") this.begins.set(workload, this.#take());
    else if (word === "end") this.ends.set(workload, this.#take());
    else if (word === "result") this.results.set(workload, parseWords(rest));
    else if (word === "error" && workload > 0) this.errors.set(workload, rest);
    else if (word === "error" || word === "trap") this.over = line;
  }

  usage(workload: number): Usage {
    const [begin, end] = [this.begins.get(workload), this.ends.get(workload)];
    if (begin === undefined || end === undefined) {
      throw new Error(this.errors.get(workload) ?? this.over ?? "the probe ended before it");
    }
    return between(begin, end);
  }
}

function parseWords(text: string): Result {
  const words = text.split(" ").map((word) => word.split("="));
  return Object.fromEntries(words.filter((word) => word.length === 2));
}

export interface ProbeRun {
  tasks: readonly ProbeTask[];
  host: CompareHost;
  clock: ClockKind;
  seed: bigint | undefined;
  progress(line: string): void;
  found(task: ProbeTask, boot: number, finding: Finding | Error): void;
}

export async function compareOnProbe({ tasks, host, clock, seed, progress, found }: ProbeRun): Promise<string[]> {
  const elf = await host.readProbe();
  const modes = [...new Set(tasks.map((task) => task.mode))];
  for (const [index, mode] of modes.entries()) {
    const here = tasks.filter((task) => task.mode === mode);
    progress(`booting ${index + 1} of ${modes.length}: ${DESCRIPTIONS[mode]}`);
    const report = await bootProbe(host, {
      ...(mode === "s" ? { kernel: elf, hypercalls: [HOST_CALL] } : { firmware: elf }),
      append: ["calibrate=markers", ...here.map((task) => task.item)].join("; "),
      memory: "128M",
      clock,
      seed,
      disks: [
        { backend: watchedDisk("nvme disk", () => {}), if: "nvme" },
        { backend: watchedDisk("virtio disk", () => {}), if: "virtio" },
      ],
    });
    here.forEach((task, i) => {
      found(task, index, findingOf(report, task, i + 2));
    });
  }
  return modes.map((mode) => DESCRIPTIONS[mode]);
}

async function bootProbe(host: CompareHost, options: CompareGuestOptions): Promise<Report> {
  let guest: Guest | undefined;
  // In S-mode the probe speaks by SBI, else on the UART.
  const control: OutputPort = options.firmware === undefined ? "sbi" : "ns16550a";
  const report = new Report(() => snapshot([guest as Guest], host));
  guest = await host.createGuest({ ...options, onOutput: (port, bytes) => port === control && report.see(bytes) });
  try {
    await within(host, PATIENCE, "the probe to end", guest.wait());
  } catch (error) {
    report.over ??= error instanceof Error ? error.message : String(error);
  } finally {
    guest.close();
  }
  return report;
}

function findingOf(report: Report, task: ProbeTask, workload: number): Finding | Error {
  try {
    const window = report.usage(workload);
    const { cpuMicroseconds, wallMicroseconds } = window;
    // Of the host's time a marker takes less than the clocks can tell.
    const usage = { ...beyond(window, report.usage(1)), cpuMicroseconds, wallMicroseconds };
    const error = report.errors.get(workload);
    if (error !== undefined) throw new Error(error);
    return { ...task.value(report.results.get(workload) ?? {}), operations: task.operations, usage };
  } catch (error) {
    return error as Error;
  }
}

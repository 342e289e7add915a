// paravane compare: the table on stdout, progress on stderr, JSON where it is asked for.
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";
import packageJson from "../../package.json" with { type: "json" };
import { type CompareHost, failures, formatComparison, runCompare, type Suite } from "../compare/index.ts";
import { HostError } from "../errors.ts";
import type { ClockKind, IrqchipKind } from "../guest/options.ts";
import { createGuest } from "../index.ts";
import { buildDebianGuest } from "../platform/node/debian/build.ts";
import { DebianGuestError } from "../platform/node/debian/debian-error.ts";
import { nodePlatform } from "../platform/node/platform.ts";
import { temporaryShare } from "../platform/node/share/temporary-share.ts";
import { overtax } from "./overtax.ts";
import { onSignal } from "./signals.ts";
import { Ending, Status, say } from "./status.ts";

export interface CompareArguments {
  guest?: "debian" | "probe";
  suite?: Suite[];
  clock: ClockKind;
  irqchip: IrqchipKind;
  seed?: bigint;
  /** A file, or true for stdout. */
  json?: string | true;
  quick?: boolean;
  quiet?: boolean;
  overtax?: boolean;
  /** Noisy guests at a time. */
  noisy?: number;
  /** A file for the picture of --overtax. */
  svg?: string;
}

/** A file of bench/, seen from the bundle (dist/) and from the sources (src/cli/). */
function programPath(name: string): string {
  const paths = [`../bench/${name}`, `../../bench/${name}`].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new HostError(`bench/${name} is missing: install the package again`);
  return found;
}

function machine(): Record<string, string | number> {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    processors: processors.length,
    memoryMiB: Math.floor(totalmem() / 1024 / 1024),
    system: `${type()} ${release()} ${process.arch}`,
    node: process.version,
    paravane: packageJson.version,
    date: new Date().toISOString(),
  };
}

/** Which guest: the Debian one if it can be made, unless the probe was asked for. */
async function chooseGuest(
  asked: CompareArguments["guest"],
  progress: (line: string) => void,
): Promise<{ guest: "debian" | "probe"; version: string }> {
  const probe = { guest: "probe", version: "bench/probe" } as const;
  if (asked === "probe") return probe;
  try {
    const debian = await buildDebianGuest({ progress });
    return { guest: "debian", version: `${debian.release}, kernel ${debian.version}` };
  } catch (error) {
    if (asked === "debian" || !(error instanceof DebianGuestError)) throw error;
    say(`no Debian guest (${error.message}): comparing on the probe instead, a bare-metal program of our own`);
    return probe;
  }
}

function writeTo(file: string, text: string, option = "--json"): Promise<void> {
  return writeFile(file, text).catch((cause: Error) => {
    throw new Ending(Status.FAILURE, `${file} cannot be written (${cause.message}): give ${option} another file`);
  });
}

/** Rejects when a signal arrives: the disks are in memory, so nothing needs to be saved. */
function interrupted(): { promise: Promise<never>; stop: () => void } {
  let stop = () => {};
  const promise = new Promise<never>((_, reject) => {
    stop = onSignal((status) => reject(new Ending(status)));
  });
  promise.catch(() => {});
  return { promise, stop };
}

async function compareOvertax({
  json,
  svg,
  noisy,
  quick = false,
  quiet,
  suite,
  guest,
  seed,
}: CompareArguments): Promise<void> {
  if (suite !== undefined || seed !== undefined || guest === "debian") {
    throw new Ending(
      Status.USAGE,
      "--overtax has a guest and workloads of its own: leave --suite, --seed and --guest out",
    );
  }
  if (typeof json === "string") await writeTo(json, "");
  if (svg !== undefined) await writeTo(svg, "", "--svg");
  const signal = interrupted();
  try {
    const running = overtax({
      probe: programPath("probe/probe.elf"),
      machine: machine(),
      noisyGuests: noisy,
      quick,
      progress: quiet ? () => {} : say,
    });
    const found = await Promise.race([running, signal.promise]);
    if (typeof json === "string") await writeTo(json, found.json);
    if (svg !== undefined) await writeTo(svg, found.svg, "--svg");
    process.stdout.write(json === true ? found.json : found.text);
  } finally {
    signal.stop();
  }
}

export async function compare(options: CompareArguments): Promise<void> {
  if (options.overtax) return compareOvertax(options);
  if (options.svg !== undefined) throw new Ending(Status.USAGE, "--svg draws what --overtax finds: give both");
  if (options.noisy !== undefined) throw new Ending(Status.USAGE, "--noisy is for --overtax: give both");
  const started = performance.now();
  const progress = options.quiet ? () => {} : say;
  // Found out before minutes of measuring: the file can be written.
  if (typeof options.json === "string") await writeTo(options.json, "");
  const signal = interrupted();
  try {
    const { guest, version } = await Promise.race([chooseGuest(options.guest, progress), signal.promise]);
    if (guest === "probe" && options.irqchip !== "plic") {
      throw new Ending(
        Status.USAGE,
        `--irqchip ${options.irqchip} needs --guest debian: the probe drives a PLIC alone`,
      );
    }
    const host: CompareHost = {
      createGuest: (wanted) => createGuest({ irqchip: options.irqchip, ...wanted, onNotice: progress }),
      startTimer: nodePlatform.startTimer,
      readProbe: () => readFile(programPath("probe/probe.elf")),
      readWorkload: () => readFile(programPath("workload/workload.elf")),
      ...(process.platform === "linux" && { shareFolder: temporaryShare }),
      cpuMicroseconds: () => {
        const { user, system } = process.cpuUsage();
        return user + system;
      },
      now: () => performance.now(),
    };
    const running = runCompare({
      host,
      guest,
      version: options.irqchip === "plic" ? version : `${version}, irqchip ${options.irqchip}`,
      machine: machine(),
      suites: options.suite,
      clock: options.clock,
      seed: options.seed,
      quick: options.quick,
      progress,
    });
    const comparison = await Promise.race([running, signal.promise]);
    comparison.machine.seconds = Math.round((performance.now() - started) / 100) / 10;

    const json = `${JSON.stringify(comparison, null, 2)}\n`;
    if (typeof options.json === "string") await writeTo(options.json, json);
    process.stdout.write(options.json === true ? json : formatComparison(comparison));
    const failed = failures(comparison);
    if (failed.length > 0) {
      const [{ row, device, error }] = failed;
      const others = failed.length > 1 ? `, and ${failed.length - 1} more` : "";
      throw new Ending(Status.FAILURE, `failed: ${row.workload} on ${device}${others}: ${error}`);
    }
  } finally {
    signal.stop();
  }
}

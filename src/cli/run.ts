// paravane run: a guest on this terminal, or one command in it.
import { ExecError } from "../errors.ts";
import type { Guest } from "../guest/guest.ts";
import type { BootKind, ClockKind, ConsoleKind, IrqchipKind, RingKind, TierKind } from "../guest/options.ts";
import { createGuest } from "../index.ts";
import type { NodeGuestOptions, NodeNetOptions, NodeVsockOptions } from "../platform/node/options.ts";
import type { DiskArgument } from "./disk-option.ts";
import { guestBehind } from "./firmware-option.ts";
import { writeThrough } from "./output.ts";
import type { PmemArgument } from "./pmem-option.ts";
import { readPolicy } from "./policy-option.ts";
import { RunReport } from "./run-report.ts";
import type { ShareArgument } from "./share-option.ts";
import { onSignal } from "./signals.ts";
import { Ending, Status, say } from "./status.ts";
import { connectInput } from "./terminal.ts";

export interface RunArguments {
  guest?: "debian";
  kernel?: string;
  initrd?: string;
  append?: string;
  boot?: BootKind;
  firmware?: string;
  memory: string;
  harts: number;
  cpu?: string;
  irqchip?: IrqchipKind;
  disk?: DiskArgument[];
  net?: NodeNetOptions[];
  share?: ShareArgument[];
  agent?: boolean;
  vsock?: NodeVsockOptions;
  pmem?: PmemArgument[];
  balloon?: boolean;
  hotplugMemory?: string;
  rtc?: boolean;
  ring?: RingKind;
  tools?: boolean;
  console?: ConsoleKind;
  policy?: string;
  exec?: string;
  /** Seconds. */
  timeout?: number;
  clock: ClockKind;
  tier: TierKind;
  codeCache?: string;
  seed?: bigint;
  json?: boolean;
  quiet?: boolean;
}

/** How other commands than `run` want a guest to be run. */
export interface RunVariant {
  /** Where the guest's and its command's output goes. Default: stdout. */
  output?: NodeJS.WriteStream;
  /** Counts what translated code does. */
  logRegions?: boolean;
  /** Called when the command has ended and the guest is still there. */
  onCommandEnd?(guest: Guest): Promise<void>;
}

async function guestOptions(options: RunArguments, { logRegions }: RunVariant): Promise<NodeGuestOptions> {
  if (options.guest !== undefined && options.kernel !== undefined) {
    throw new Ending(Status.USAGE, "--guest and --kernel exclude each other: give one of them");
  }
  // --boot firmware without a name of one means OpenSBI.
  const firmware = options.firmware ?? (options.boot === "firmware" ? "opensbi" : undefined);
  if (firmware !== undefined && options.boot === "paravirt") {
    throw new Ending(Status.USAGE, "--firmware means --boot firmware: leave --boot paravirt out");
  }
  const { kernel, initrd, append, memory, harts, cpu, irqchip, clock, tier, codeCache, seed, tools } = options;
  return {
    guest: options.guest ?? (kernel === undefined ? await guestBehind(firmware) : undefined),
    kernel,
    initrd,
    append,
    boot: firmware === undefined ? "paravirt" : "firmware",
    firmware,
    memory,
    harts,
    cpu,
    irqchip,
    clock,
    tier,
    codeCache,
    seed,
    tools,
    console: options.console,
    disks: options.disk,
    nets: options.net,
    shares: options.share,
    agent: options.agent,
    vsock: options.vsock,
    pmem: options.pmem,
    balloon: options.balloon,
    hotplugMemory: options.hotplugMemory,
    rtc: options.rtc,
    ring: options.ring,
    policy: options.policy === undefined ? undefined : await readPolicy(options.policy),
    exec: options.exec !== undefined,
    logRegions,
    onNotice: options.quiet ? undefined : say,
  };
}

/** Ends the guest, flushing its disks, and gives the run a status of its own. */
type End = (ending: Ending) => void;

/**
 * Runs `use` on the guest; a signal, a timeout or a reader that went away ends it early.
 * The guest's disks are flushed and closed whatever happens.
 */
async function withGuest<T>(
  options: RunArguments,
  report: RunReport,
  variant: RunVariant,
  use: (guest: Guest, end: End) => Promise<T>,
): Promise<T> {
  let guest: Guest | undefined;
  let end: End = () => {};
  const ended = new Promise<never>((_, reject) => {
    end = (ending) => {
      try {
        guest?.close();
      } catch (error) {
        return reject(error);
      }
      reject(ending);
    };
  });
  ended.catch(() => {});

  const stopListening = onSignal((status) => end(new Ending(status)));
  const onGone = (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") end(new Ending(Status.BROKEN_PIPE));
  };
  process.stdout.on("error", onGone);
  const limit = options.timeout;
  const timer =
    limit === undefined
      ? undefined
      : setTimeout(
          () => end(new Ending(Status.TIMEOUT, `timed out after ${limit} s: allow more with --timeout`)),
          limit * 1000,
        );
  try {
    const creating = guestOptions(options, variant)
      .then(createGuest)
      .then((created) => {
        guest = created;
        report.guest = created;
        return use(created, end);
      });
    return await Promise.race([creating, ended]);
  } finally {
    clearTimeout(timer);
    stopListening();
    process.stdout.off("error", onGone);
    guest?.close();
  }
}

async function runConsole(options: RunArguments, report: RunReport, variant: RunVariant): Promise<void> {
  await withGuest(options, report, variant, async (guest, end) => {
    // With --json stdout is the result's alone.
    const stream = options.json ? process.stderr : (variant.output ?? process.stdout);
    guest.console.onData((bytes) => writeThrough(guest, stream, bytes));
    const disconnect = connectInput(guest.console, () => end(new Ending(Status.OK)));
    // What the kernel printed before a crash is on the console already.
    const info = await guest.wait().finally(disconnect);
    // Closed it is by us alone, who know better why.
    if (info.reason !== "closed") report.print({ ...info });
    if (info.status !== 0) {
      throw new Ending(Status.FAILURE, `the guest switched itself off with status ${info.status}`);
    }
  });
}

async function runCommand(
  command: string,
  options: RunArguments,
  report: RunReport,
  variant: RunVariant,
): Promise<void> {
  const stream = variant.output ?? process.stdout;
  const started = performance.now();
  const progress = (text: string) => {
    if (!options.quiet) say(text);
  };
  const status = await withGuest(options, report, variant, async (guest) => {
    let log = "";
    const stop = guest.console.onData((bytes) => {
      log = (log + Buffer.from(bytes).toString()).slice(-8192);
    });
    const crashed = guest
      .wait()
      .then(() => Promise.reject(new ExecError("the guest switched itself off before the command ended")));
    crashed.catch(() => {});
    progress("booting");
    await Promise.race([guest.ready(), crashed]).catch((error) => {
      if (!options.quiet && log !== "") process.stderr.write(`${log.trimEnd()}\n`);
      throw error;
    });
    stop();
    progress(`ready after ${((performance.now() - started) / 1000).toFixed(1)} s`);

    const result = await Promise.race([
      guest.exec(command, {
        collect: options.json === true,
        onStdout: options.json ? undefined : (bytes) => writeThrough(guest, stream, bytes),
        onStderr: options.json ? undefined : (bytes) => writeThrough(guest, process.stderr, bytes),
      }),
      crashed,
    ]);
    await variant.onCommandEnd?.(guest);
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
    report.print({ status: result.status, stdout: text(result.stdout), stderr: text(result.stderr) });
    // What the command wrote to file systems is to reach the disks.
    const writesDisks = [...(options.disk ?? []), ...(options.pmem ?? [])].some(
      ({ readOnly, overlay }) => !readOnly && !overlay,
    );
    if (writesDisks) await guest.powerOff();
    return result.status;
  });
  if (status !== 0) throw new Ending(status);
}

/** Runs a guest, or a command in it, to its end. Ends by throwing what else than success it came to. */
export function runGuest(options: RunArguments, report: RunReport, variant: RunVariant = {}): Promise<void> {
  return options.exec === undefined
    ? runConsole(options, report, variant)
    : runCommand(options.exec, options, report, variant);
}

export async function run(options: RunArguments): Promise<void> {
  const report = new RunReport(options.json === true);
  try {
    await runGuest(options, report);
  } catch (error) {
    report.failed(error);
    throw error;
  }
}

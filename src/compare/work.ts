// The units that a comparison is made of: rows, and for each path of a row the measurement
// of it in one of the boots.

import type { ShareBackend } from "../backend/9p/share-backend.ts";
import type { DiskBackend } from "../backend/disk.ts";
import { memoryDisk } from "../backend/memory-disk.ts";
import type { NetBackend } from "../backend/net.ts";
import type { Guest } from "../guest/guest.ts";
import type { GuestOptions } from "../guest/options.ts";
import type { Form } from "../machine/catalogue.ts";
import type { HostTimes, Usage } from "./meter.ts";
import type { Path, Suite, Unit } from "./result.ts";

export type { Absence } from "./result.ts";

/** How much each workload does: `warm` operations, then `measured` ones. */
export interface Amount {
  warm: number;
  measured: number;
}

/** All disks are this large and in memory. */
export const DISK_BYTES = 64 << 20;
/** Bytes of the file that is read where files are measured. */
export const SHARED_FILE = 16 << 20;

/** What measuring needs from where it runs. */
export interface CompareHost extends HostTimes {
  createGuest(options: CompareGuestOptions): Promise<Guest>;
  /** Calls `wake` after about `milliseconds`; the result cancels it. */
  startTimer(milliseconds: number, wake: () => void): () => void;
  /** The probe's ELF file. */
  readProbe(): Promise<Uint8Array>;
  /** Our program for Linux on riscv64 (bench/workload). */
  readWorkload(): Promise<Uint8Array>;
  /** A folder of this machine with these files by name, gone when the backend is closed. Absent where folders cannot be shared. */
  shareFolder?(files: Record<string, Uint8Array>): Promise<ShareBackend>;
}

/** A guest of the library's, or the Debian guest with its tools. */
export interface CompareGuestOptions extends Omit<GuestOptions, "firmware"> {
  guest?: "debian";
  tools?: boolean;
  firmware?: "opensbi" | Uint8Array;
}

/** One measurement: a path of the row that `workload` names. */
export interface Task {
  function: Suite;
  workload: string;
  unit: Unit;
  /** What one operation is, in words. */
  operation: string;
  form: Form;
  device: string;
}

export interface Finding {
  value: number;
  operations: number;
  usage: Usage;
  range?: { minimum: number; maximum: number };
}

/** Numbers in the JSON have no digits that mean nothing. */
export function round(value: number): number {
  return Number(value.toPrecision(6));
}

export function pathOf(task: Task, boot: number, found: Finding | Error): Path {
  const { form, device } = task;
  if (found instanceof Error) {
    const nothing = { value: null, operations: 0, exits: 0, instructions: 0, causes: {} };
    const host = { cpuMicroseconds: 0, wallMicroseconds: 0 };
    return { form, device, boot, ...nothing, error: found.message.replace(/\s*\n\s*/g, "; "), host };
  }
  const { value, operations, usage, range } = found;
  const each = (amount: number) => round(amount / operations);
  const causes = [...usage.exits].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return {
    form,
    device,
    boot,
    value: round(value),
    operations,
    exits: each(causes.reduce((sum, [, count]) => sum + count, 0)),
    instructions: each(usage.instructions),
    causes: Object.fromEntries(causes.map(([cause, count]) => [cause, each(count)])),
    ...(range && { range: { minimum: round(range.minimum), maximum: round(range.maximum) } }),
    host: { cpuMicroseconds: each(usage.cpuMicroseconds), wallMicroseconds: each(usage.wallMicroseconds) },
  };
}

/** A disk in memory that tells how many bytes of data each access moves. */
export function watchedDisk(name: string, moved: (bytes: number) => void): DiskBackend {
  const disk = memoryDisk(DISK_BYTES, { name });
  return {
    ...disk,
    read(offset, into) {
      disk.read(offset, into);
      moved(into.length);
    },
    write(offset, from) {
      disk.write(offset, from);
      moved(from.length);
    },
  };
}

/** Bytes of headers in front of what TCP carries: Ethernet, IPv4, TCP with time stamps. */
const HEADERS = 66;

/** A port of a switch that tells how much data each frame from its guest carries. */
export function watchedPort(port: NetBackend, carried: (bytes: number) => void): NetBackend {
  return {
    name: port.name,
    accepts: port.accepts,
    dhcp: port.dhcp,
    open: (guest) => port.open(guest),
    send(frame) {
      port.send(frame);
      carried(Math.max(0, frame.length - HEADERS));
    },
    ready: () => port.ready(),
    close: () => port.close(),
  };
}

/** `promise`, or an error after `milliseconds` of the host's. */
export async function within<T>(
  host: CompareHost,
  milliseconds: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    const refuse = () => reject(new Error(`waited ${milliseconds / 1000} s for ${what}: give this machine less to do`));
    cancel = host.startTimer(milliseconds, refuse);
  });
  return Promise.race([promise, late]).finally(() => cancel());
}

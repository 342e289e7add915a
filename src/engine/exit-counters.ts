// Reads the table in which the engine counts exits by cause (assembly/abi/exit-counter.ts).
import { ExitCounter, ExitDirection, ExitKind } from "../../assembly/abi/exit-counter.ts";
import { Layout } from "../../assembly/abi/layout.ts";
import { SbiExtension } from "../../assembly/abi/sbi.ts";
import type { Inspect } from "./inspect.ts";

/** How often the guest left itself for one cause. */
export interface ExitCount {
  /** A device access, a call to the hypervisor, one that was refused, a trap that it served itself, or an interrupt. */
  kind: "device" | "hypercall" | "refused" | "trap" | "interrupt";
  /** The device's or the SBI extension's name. */
  name: string;
  /** Which of several devices of that name. */
  instance: number;
  direction: "read" | "write" | "call";
  /** Of a PCI function: the BAR, otherwise 0. */
  bar: number;
  /** Offset of the register, function id of the hypercall, or the trap's cause; undefined where causes are lumped together. */
  register: number | undefined;
  /** The register's name in the device's own documents; for anything else the same number in hexadecimal. */
  registerName: string;
  count: bigint;
}

const EXTENSION_NAMES: Record<number, string> = {
  [SbiExtension.BASE]: "base",
  [SbiExtension.TIME]: "time",
  [SbiExtension.IPI]: "ipi",
  [SbiExtension.RFENCE]: "rfence",
  [SbiExtension.HSM]: "hsm",
  [SbiExtension.SRST]: "srst",
  [SbiExtension.PMU]: "pmu",
  [SbiExtension.DBCN]: "dbcn",
  [SbiExtension.SUSP]: "susp",
  [SbiExtension.STA]: "sta",
  [SbiExtension.PARAVANE]: "paravane",
};

const DIRECTIONS = {
  [ExitDirection.READ]: "read",
  [ExitDirection.WRITE]: "write",
  [ExitDirection.CALL]: "call",
} as const;

function extensionName(eid: number): string {
  return EXTENSION_NAMES[eid] ?? (eid <= SbiExtension.LEGACY_SHUTDOWN ? "legacy" : `0x${eid.toString(16)}`);
}

function decode(key: bigint, count: bigint, inspect: Inspect): ExitCount {
  const high = Number(key >> 32n);
  const kind = high >>> ExitCounter.KIND_SHIFT;
  const lumped = (high & ExitCounter.OTHER) !== 0;
  const register = Number(key & ((BigInt(ExitCounter.REGISTER_HIGH) << 32n) | 0xffff_ffffn));
  const common = {
    instance: (high >>> ExitCounter.INSTANCE_SHIFT) & 0xff,
    direction: DIRECTIONS[((high >>> ExitCounter.DIRECTION_SHIFT) & 3) as ExitDirection] ?? "call",
    bar: (high >>> ExitCounter.BAR_SHIFT) & ExitCounter.BAR_MASK,
    count,
  };
  const at = (number: number) =>
    lumped
      ? { register: undefined, registerName: "other" }
      : { register: number, registerName: `0x${number.toString(16)}` };
  switch (kind) {
    case ExitKind.HYPERCALL:
    case ExitKind.REFUSED: {
      // EID << 8 | FID: an EID has up to 32 bits, so no 32-bit arithmetic here.
      const eid = Math.floor(register / 256);
      const name = lumped ? "other" : extensionName(eid);
      return {
        kind: kind === ExitKind.REFUSED ? "refused" : "hypercall",
        name,
        ...common,
        ...at(eid <= SbiExtension.LEGACY_SHUTDOWN ? eid : register % 256),
      };
    }
    case ExitKind.TRAP:
      return { kind: "trap", name: inspect.exceptionName(register), ...common, ...at(register) };
    case ExitKind.INTERRUPT:
      return { kind: "interrupt", name: inspect.interruptName(register), ...common, ...at(register) };
    default: {
      const device = { kind: "device" as const, name: inspect.deviceName(kind), ...common, ...at(register) };
      if (!lumped && register <= 0xffff_ffff) {
        device.registerName = inspect.registerName(kind, register, common.bar > 0 ? 1 : 0);
      }
      return device;
    }
  }
}

/** All causes counted so far, most frequent first; causes of equal count in the order of their keys. */
export function readExitCounters(view: DataView, inspect: Inspect): ExitCount[] {
  const found: { key: bigint; count: bigint }[] = [];
  for (let bucket = 0; bucket < ExitCounter.BUCKETS; bucket++) {
    const at = Layout.EXIT_COUNTERS + bucket * ExitCounter.BUCKET_SIZE;
    const key = view.getBigUint64(at, true);
    if (key !== 0n) found.push({ key, count: view.getBigUint64(at + 8, true) });
  }
  const order = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);
  found.sort((a, b) => order(b.count, a.count) || order(a.key, b.key));
  return found.map(({ key, count }) => decode(key, count, inspect));
}

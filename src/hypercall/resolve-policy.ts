// A policy's names, looked up in the table of calls: which are granted, and what is counted against
// which budget. The result holds numbers alone, as table.ts writes them.
import { BudgetAt, DeviceSlot, OverBudget } from "../../assembly/abi/hypercall.ts";
import { SbiExtension } from "../../assembly/abi/sbi.ts";
import { OptionError } from "../errors.ts";
import type { CallRow } from "./call-row.ts";
import { CALLS, EXTENSIONS, hexId } from "./catalogue.ts";
import type { DefinedHypercall } from "./define-hypercall.ts";
import { type DevicePolicy, type Policy, parsePolicy, policyError, type TokenBucket } from "./policy.ts";

export interface Budget {
  /** What it is for: "call dbcn", "device disk0", "egress", "guest". */
  name: string;
  operations?: TokenBucket;
  bytes?: TokenBucket;
  over: OverBudget;
}

export interface Grants {
  /** Calls that the guest may not make; it may make all others of the table. */
  denied: ReadonlySet<CallRow>;
  /** Number of the budget of a call that has one. */
  callBudgets: ReadonlyMap<CallRow, number>;
  /** The same for devices, by DeviceSlot. */
  deviceBudgets: ReadonlyMap<number, number>;
  /** By number; 0 is the whole guest's, and limits nothing if the policy does not say so. */
  budgets: readonly Budget[];
  /** Forms in which a device may be attached, by its name. */
  forms: ReadonlyMap<string, readonly ("emulated" | "paravirt")[]>;
  /** Names of devices that a budget moves to the emulated form. */
  emulateOver: ReadonlySet<string>;
  /** Share of a core, 0.01 to 1. */
  cpuCap: number | undefined;
  /** The guest's weight among others of one hypervisor, 1 to 10,000. Default: 100. */
  cpuWeight: number;
  /** Most RAM, as the policy says it. */
  memoryLimit: string | number | undefined;
  hypercalls: readonly DefinedHypercall[];
}

const DEFAULT_WEIGHT = 100;
const OVER = { delay: OverBudget.DELAY, refuse: OverBudget.REFUSE, emulate: OverBudget.EMULATE } as const;
const SHOWN_NAMES =
  'write the name of an extension ("dbcn", "legacy", "0xa000001"), of a function, or both numbers ("dbcn:0")';

interface Named {
  rows: CallRow[];
  isFunction: boolean;
}

class Names {
  readonly #calls: readonly CallRow[];

  constructor(calls: readonly CallRow[]) {
    this.#calls = calls;
  }

  /** The calls that `name` stands for, or undefined. */
  find(name: string): Named | undefined {
    const byName = this.#calls.filter((row) => row.name === name);
    if (byName.length > 0) return { rows: byName, isFunction: true };
    const [extension, fid, ...rest] = name.split(":");
    if (rest.length > 0 || (fid !== undefined && !/^[0-9]{1,3}$/.test(fid))) return undefined;
    const of = this.#extension(extension);
    const rows = fid === undefined ? of : of.filter((row) => row.fid === Number(fid));
    return rows.length > 0 ? { rows, isFunction: fid !== undefined } : undefined;
  }

  #extension(name: string): CallRow[] {
    if (name === "legacy") return this.#calls.filter((row) => row.eid <= SbiExtension.LEGACY_SHUTDOWN);
    const known = EXTENSIONS.find((extension) => extension.name === name);
    if (known !== undefined) return this.#calls.filter((row) => row.eid === known.eid);
    if (!/^0x[0-9a-f]{1,8}$/i.test(name)) return [];
    return this.#calls.filter((row) => row.eid === Number(name));
  }
}

/** Slots of the engine's table that a device's name stands for. */
export function deviceSlot(name: string): number {
  if (name === "console") return DeviceSlot.CONSOLE;
  const number = Number(/[0-9]+$/.exec(name)?.[0]);
  return (name.startsWith("disk") ? DeviceSlot.DISK : DeviceSlot.NET) + number;
}

const receiveSlot = (name: string) => deviceSlot(name) - DeviceSlot.NET + DeviceSlot.NET_RECEIVE;
const receiveName = (name: string) => `device ${name} receive`;

/** The budgets of a device in these grants, by slot, with names for those that it has none of yet. */
export function slotsOf(name: string, firstDisk: number): { own: Slot; receive: Slot | undefined } {
  const isDisk = name.startsWith("disk");
  const own = { slot: deviceSlot(name) + (isDisk ? firstDisk : 0), name: `device ${name}` };
  return { own, receive: name.startsWith("net") ? { slot: receiveSlot(name), name: receiveName(name) } : undefined };
}

export interface Slot {
  /** DeviceSlot. */
  slot: number;
  /** Of its budget. */
  name: string;
}

/**
 * Looks a policy up. `firstDisk` is the number of the first of the caller's disks, behind those that the guest boots from.
 * @throws OptionError that says where, what, and what to write.
 */
export function resolvePolicy(
  input: Policy | undefined,
  hypercalls: readonly DefinedHypercall[] = [],
  firstDisk = 0,
): Grants {
  const policy = input === undefined ? {} : parsePolicy(input);
  const calls = [...CALLS, ...hypercalls.map(({ row }) => row)];
  const names = new Names(calls);
  const find = (name: string, keys: readonly unknown[], value: unknown): Named => {
    const found = names.find(name);
    if (found === undefined) throw policyError(keys, value, `there is no such call: ${SHOWN_NAMES}`);
    return found;
  };

  const { guest = {}, egress } = policy;
  const budgets: Budget[] = [
    { name: "guest", operations: guest.operations, bytes: guest.bytes, over: OVER[guest.over ?? "delay"] },
  ];
  const add = (budget: Budget): number => {
    if (budgets.length === BudgetAt.COUNT) {
      throw new OptionError(
        `policy: more than ${BudgetAt.COUNT - 1} budgets: name whole extensions instead of functions`,
      );
    }
    return budgets.push(budget) - 1;
  };

  const denied = findDenied(policy, calls, find);
  const callBudgets = new Map<CallRow, number>();
  const callEntries = Object.entries(policy.calls?.budgets ?? {}).map(([name, budget]) => ({
    name,
    budget,
    ...find(name, ["calls", "budgets", name], name),
  }));
  // A function's own goes before its extension's.
  for (const { name, budget, rows } of callEntries.sort((a, b) => Number(a.isFunction) - Number(b.isFunction))) {
    const number = add({ ...budget, name: `call ${name}`, over: OVER[budget.over ?? "delay"] });
    if (budget.over === "refuse" && rows.some(({ eid }) => eid === SbiExtension.BASE)) {
      throw policyError(["calls", "budgets", name, "over"], "refuse", 'guests rely on BASE: write "delay"');
    }
    for (const row of rows) callBudgets.set(row, number);
  }

  const deviceBudgets = new Map<number, number>();
  const forms = new Map<string, NonNullable<DevicePolicy["forms"]>>();
  const emulateOver = new Set<string>();
  if (egress?.operations !== undefined || egress?.bytes !== undefined) {
    const number = add({ ...egress, name: "egress", over: OverBudget.DELAY });
    for (let net = 0; net < DeviceSlot.NETS; net++) deviceBudgets.set(DeviceSlot.NET + net, number);
  }
  for (const [name, device] of Object.entries(policy.devices ?? {})) {
    if (device.forms !== undefined) forms.set(name, device.forms);
    if (device.over === "emulate") emulateOver.add(name);
    const { receive } = device;
    if (receive?.operations !== undefined || receive?.bytes !== undefined) {
      deviceBudgets.set(receiveSlot(name), add({ ...receive, name: receiveName(name), over: OverBudget.DELAY }));
    }
    if (device.operations === undefined && device.bytes === undefined) continue;
    if (name === "console" && device.over === "emulate") {
      throw policyError(["devices", name, "over"], "emulate", 'a console stays what it is: write "delay"');
    }
    const slot = deviceSlot(name) + (name.startsWith("disk") ? firstDisk : 0);
    if (slot >= DeviceSlot.NET && name.startsWith("disk")) {
      throw policyError(
        ["devices"],
        name,
        "the guest boots from a disk in front of it, so there is none of that number",
      );
    }
    deviceBudgets.set(slot, add({ ...device, name: `device ${name}`, over: OVER[device.over ?? "delay"] }));
  }
  return {
    denied,
    callBudgets,
    deviceBudgets,
    budgets,
    forms,
    emulateOver,
    cpuCap: guest.cpu?.cap,
    cpuWeight: guest.cpu?.weight ?? DEFAULT_WEIGHT,
    memoryLimit: guest.memory?.limit,
    hypercalls,
  };
}

function findDenied(
  { calls: { allow, deny = [] } = {} }: Policy,
  all: readonly CallRow[],
  find: (name: string, keys: readonly unknown[], value: unknown) => Named,
): Set<CallRow> {
  const denied = new Set<CallRow>();
  if (allow !== undefined) {
    const allowed = new Set(allow.flatMap((name, n) => find(name, ["calls", "allow", n], name).rows));
    for (const row of all) if (!allowed.has(row) && row.eid !== SbiExtension.BASE) denied.add(row);
  }
  for (const [n, name] of deny.entries()) {
    const { rows } = find(name, ["calls", "deny", n], name);
    if (rows.some(({ eid }) => eid === SbiExtension.BASE)) {
      throw policyError(
        ["calls", "deny", n],
        name,
        `every guest relies on BASE (${hexId(SbiExtension.BASE)}): leave it out`,
      );
    }
    for (const row of rows) denied.add(row);
  }
  return denied;
}
